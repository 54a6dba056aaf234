"""A stand-in for a RAG service: slow to load, costly to run twice, and alone on its data.

The model is a sleep, the collection a text file. What it shares with the real thing is what matters here:
it answers 503 until the model is loaded, and two of it on one collection would spoil that.
"""

import http.server
import os
import pathlib
import threading
import time
import urllib.parse

LOAD_SECONDS = 1
data = pathlib.Path("data")
loaded = threading.Event()


def load():
    print("loading the model (500 MB in real life) ...", flush=True)
    time.sleep(LOAD_SECONDS)
    with (data / "loads").open("a") as loads:
        loads.write(f"loaded by pid {os.getpid()}\n")
    loaded.set()
    print("ready", flush=True)


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if not loaded.is_set():
            return self.answer(503, "still loading")
        if url.path == "/health":
            return self.answer(200, "ok")
        question = urllib.parse.parse_qs(url.query).get("q", ["nothing"])[0]
        self.answer(200, f"pid {os.getpid()} knows nothing about {question}")

    def answer(self, status, text):
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


threading.Thread(target=load, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers).serve_forever()
