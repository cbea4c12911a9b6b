"""Where a service tells whether it is well, found by asking."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dbz.targets.places import find_health, find_metrics


@contextmanager
def service(body: bytes = b"", **answers: int) -> Iterator[str]:
    """A server with these statuses by path, and 404 everywhere else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers.get(self.path, 404))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("answers", "described", "found"),
    [
        ({}, (), ""),
        ({"/healthz": 200, "/health": 200}, ["/health"], ""),
        ({"/healthz": 503, "/health": 200}, (), ""),  # it is there, and says that all is not well
        ({"/status": 204}, (), "/status"),
        ({"/api/health": 200, "/ping": 200}, (), "/api/health"),
        ({"/actuator/health": 200}, (), "/actuator/health"),
        ({"/v1/status": 200, "/status": 200}, ["/posts", "/v1/status"], "/v1/status"),
        ({"/v1/health-check": 200}, ["/v1/health-check"], "/v1/health-check"),
        ({"/health": 401, "/posts": 200, "/status": 302}, ["/posts", "/health"], ""),
    ],
)
def test_the_path_that_is_there_is_found(answers: dict[str, int], described: Collection[str], found: str) -> None:
    with service(**answers) as url:
        assert find_health(url, list(described)) == found


@pytest.mark.parametrize(
    ("body", "answers", "found"),
    [
        (b"# TYPE process_cpu_usage gauge\n", {"/actuator/prometheus": 200}, "/actuator/prometheus"),
        (b"# TYPE process_cpu_usage gauge\n", {"/actuator/prometheus": 200, "/metrics": 200}, ""),
        (b"<title>Single page</title>", {"/prometheus": 200}, ""),
    ],
)
def test_figures_are_found_where_spring_has_them(body: bytes, answers: dict[str, int], found: str) -> None:
    with service(body, **answers) as url:
        assert find_metrics(url) == found


def test_nobody_there_has_no_path() -> None:
    assert find_health("http://127.0.0.1:9") == find_metrics("http://127.0.0.1:9") == ""
