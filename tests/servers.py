"""Local servers that speak chat completions, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behave = Callable[[dict[str, Any], BaseHTTPRequestHandler], None]


@contextmanager
def serving(behave: Behave) -> Iterator[str]:
    """The base URL of a server; `behave` receives the JSON body of each request and answers it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                behave(body, self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def say(handler: BaseHTTPRequestHandler, text: str) -> None:
    """Send a well-formed answer."""
    send(handler, 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode())


def send(handler: BaseHTTPRequestHandler, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
    handler.send_response(status)
    for name, value in {
        "Content-Type": "application/json",
        "Content-Length": str(len(data)),
        **(headers or {}),
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


def passage_of(body: dict[str, Any]) -> str:
    """The passage in the body of a request."""
    text: str = body["messages"][0]["content"]
    return text.rpartition("<passage>\n")[2].removesuffix("\n</passage>")
