"""A stand-in for the service that both scripts start: it answers its pid, and writes down that it started."""

import http.server
import os


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"pid {os.getpid()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


with open("starts", "a") as starts:
    starts.write(f"{os.getpid()}\n")
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers).serve_forever()
