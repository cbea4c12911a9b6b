"""A service and a receiver of alerts that a test steers: both real HTTP servers on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


class Service(ThreadingHTTPServer):
    """Tells figures under names of prom-client: `mean_s` a request, of `each` requests between two questions."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ServiceHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.mean_s, self.each, self.failing = 0.01, 10, 0
        self.healthy = self.tells = True
        self.count = self.sum_s = self.failed = 0.0
        self.asked = 0
        """How often for its figures."""
        self.health = 0
        """The status of its health path; 0: as `healthy` says."""
        self.more = ""
        """Lines of its figures beside those."""


class _ServiceHandler(_Quiet):
    server: Service

    def do_GET(self) -> None:
        service = self.server
        if self.path == "/healthz":
            self.answer(service.health or (200 if service.healthy else 503))
        elif self.path == "/metrics" and service.tells:
            service.asked += 1
            service.count += service.each
            service.sum_s += service.mean_s * service.each
            service.failed += service.failing
            name = "http_request_duration_seconds"
            text = (
                f'{name}_count{{status_code="200"}} {service.count - service.failed}\n'
                f'{name}_count{{status_code="500"}} {service.failed}\n{name}_sum {service.sum_s}\n'
                f"process_resident_memory_bytes 50000000\n{service.more}"
            )
            self.answer(200, text.encode())
        else:
            self.answer(500 if self.path == "/metrics" else 404)


class Receiver(ThreadingHTTPServer):
    """Takes alerts; answers as the next of `answers` says, a status and perhaps seconds to wait, and else with 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ReceiverHandler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        self.answers: list[tuple[int, str]] = []
        self.taken: list[dict[str, Any]] = []
        self.keys: list[str] = []
        """The idempotency key of every try."""

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Every alert that was taken."""
        return [alert for body in self.taken for alert in body.get("alerts", [])]


class _ReceiverHandler(_Quiet):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.append(self.headers["Idempotency-Key"])
        status, wait = self.server.answers.pop(0) if self.server.answers else (200, "")
        if status == 200:
            self.server.taken.append(body)
        self.answer(status, **({"Retry_After": wait} if wait else {}))


@contextmanager
def running(server: Any) -> Iterator[Any]:
    """A server for the length of a block."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
