"""A service with the metrics of prometheus-client below `/metrics/`, as frameworks mount them.

Arguments: port, how many processes serve it, and `metrics` when there are any.
"""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import REGISTRY, Gauge, generate_latest

SOCKETS = Gauge("club_sockets", "Sockets open now.", ["room"])
SOCKETS.labels("a").set(2)
SOCKETS.labels("b").set(3)
HAS_METRICS = "metrics" in sys.argv


class Handler(BaseHTTPRequestHandler):
    """Answers what the tests ask."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Metrics, with a redirect before them; or a hundred milliseconds of work."""
        if HAS_METRICS and self.path == "/metrics":
            self._answer(307, b"", {"Location": "/metrics/"})
        elif HAS_METRICS and self.path == "/metrics/":
            self._answer(200, generate_latest(REGISTRY))
        elif self.path == "/work":
            sum(range(2_000_000))
            self._answer(200, b"done")
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
for _ in range(int(sys.argv[2]) - 1):
    if os.fork() == 0:
        break
server.serve_forever()
