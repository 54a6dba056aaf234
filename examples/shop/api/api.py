"""The shop's API: what there is to buy, as JSON, from the database that styxy told it of."""

import http.server
import os
import urllib.request

database = os.environ["STYXY_DATABASE_DB_URL"]


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'"ok"' if self.path == "/health" else self.things()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def things(self):
        query = b"select name, price from things order by name"
        with urllib.request.urlopen(database, data=query) as answer:
            return answer.read()

    def log_message(self, *_):
        pass


print(f"the database is {database}", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers).serve_forever()
