"""A stand-in for a database server: SQL in, JSON out, over HTTP; one SQLite file in data/."""

import http.server
import json
import os
import pathlib
import sqlite3

data = pathlib.Path("../data")


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, "ok")

    def do_POST(self):
        statement = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            with sqlite3.connect(data / "shop.sqlite") as connection:
                self.answer(200, connection.execute(statement).fetchall())
        except sqlite3.Error as error:
            self.answer(400, str(error))

    def answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


print("the database is open", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers).serve_forever()
