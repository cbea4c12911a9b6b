"""A server that gives away what it was told: in redirects, in error pages, in cookies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.secrets.planted import secret


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answers everything, with a secret in each header."""
        path = self.path.partition("?")[0]
        status = {"/missing": 404, "/redirect": 302, "/broken": 500, "/login": 401}.get(path, 200)
        body = f'{{"access_token": "{secret("answer")}", "said": "{self.path}"}}'.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", f"sid={secret('cookie')}")
        if status == 302:
            self.send_header("Location", f"/landing?access_token={secret('location')}#{secret('fragment')}")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """The same."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def indiscreet_server() -> Iterator[str]:
    """Its URL; it ends with the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
