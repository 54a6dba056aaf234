"""The shop's front: a page that lists what the API knows."""

import html
import http.server
import json
import os
import urllib.request

api = os.environ["STYXY_API_API_URL"]


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with urllib.request.urlopen(f"{api}/things") as answer:
            things = json.load(answer)
        items = "".join(f"<li>{html.escape(name)}: {price}</li>" for name, price in things)
        body = f"<!doctype html><title>Shop</title><ul>{items}</ul>\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


print(f"open {os.environ['PUBLIC_URL']}", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers).serve_forever()
