"""A server that answers oddly but rightly, written on a plain socket server: what a proxy must let pass as it is."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _send(self, status: int, body: bytes = b"", *fields: tuple[str, str], length: bool = True) -> None:
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        if length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        host, path = self.headers["Host"], self.path
        text = ("Content-Type", "text/plain")
        answers: dict[str, Callable[[], None]] = {
            "/gzip": lambda: self._send(
                200, gzip.compress(b'{"packed": true}', mtime=0), ("Content-Type", "application/json"),
                ("Content-Encoding", "gzip"),
            ),
            "/binary": lambda: self._send(200, bytes(range(256)), ("Content-Type", "image/png")),
            "/away": lambda: self._send(302, b"", ("Location", f"http://{host}/echo?x=1#part")),
            "/elsewhere": lambda: self._send(302, b"", ("Location", "https://other.example/x")),
            "/cookie": lambda: self._send(
                200, b"{}", ("Set-Cookie", f"a=1; Domain={host.split(':')[0]}; Secure; HttpOnly"), ("Set-Cookie", "b=2")
            ),
            "/unmodified": lambda: self._send(304, b"", ("ETag", '"x"'), length=False),
            "/empty": lambda: self._send(204, b"", length=False),
            "/big": lambda: self._send(200, b"x" * 3 * 2**20, text),
            "/stream": self._stream,
        }  # fmt: skip
        if path.startswith("/echo"):
            fields = [f"{name.lower()}: {value}" for name, value in self.headers.items() if name != "Connection"]
            said = "\n".join(sorted(fields))
            self._send(200, f"{self.command} {path}\n{said}".encode(), text)
        else:
            answers.get(path, lambda: self._send(404, b"nothing", text))()

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number in range(3):
            part = f"data: {number}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()
            self.server.went_on.wait(5 * (number == 0))  # type: ignore[attr-defined]
        self.wfile.write(b"0\r\n\r\n")

    do_HEAD = do_GET
    do_OPTIONS = do_GET

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        kind = self.headers.get("Content-Type", "")
        self._send(201, body, ("X-Length", str(len(body))), ("Content-Type", kind))

    do_PUT = do_POST

    def log_message(self, *_: Any) -> None:
        """Silent."""


@contextmanager
def raw_app() -> Iterator[tuple[str, threading.Event]]:
    """The server for the length of a block: its URL, and the event for which /stream waits half-way."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.went_on = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.went_on  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
