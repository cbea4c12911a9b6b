"""Running `dbz` as a user does, and a small server of the tests' own to load."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.children.forkserver import forkserver
from tests.children.started import ForkedProgram
from tests.whole import WHOLE

DBZ = [sys.executable, "-m", "dbz.cli.main"]


def dbz(*arguments: str, cwd: Path, timeout_s: float = 90, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a traceback in what it prints fails the test."""
    done = run_dbz(arguments, cwd, {**os.environ, "NO_COLOR": "1", **env}, timeout_s)
    assert "Traceback" not in done.stdout + done.stderr
    assert "an error in dbz itself" not in done.stderr
    return done


def run_dbz(
    arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end with exactly this environment, whatever it prints."""
    done = run_dbz_raw(arguments, cwd, environment, timeout_s)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def run_dbz_raw(
    arguments: Sequence[str | bytes], cwd: Path, environment: Mapping[str, str], timeout_s: float = 60
) -> subprocess.CompletedProcess[bytes]:
    """The same with the bytes that it prints; it is forked if that comes to the same."""
    if WHOLE or not forkserver().suits(environment):
        return subprocess.run([*DBZ, *arguments], cwd=cwd, env=environment, capture_output=True, timeout=timeout_s)
    return forkserver().run(arguments, cwd, environment, timeout_s)


def start_dbz(arguments: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None, **streams: Any) -> Any:
    """Start a command and go on beside it; what `subprocess.Popen` gives, which takes `streams`. Forked if it can be.

    Who looks for it among all processes, by its environment or its session, starts `[*DBZ, …]` instead.
    """
    environment = os.environ if env is None else env
    if WHOLE or not forkserver().suits(environment):
        return subprocess.Popen([*DBZ, *arguments], cwd=cwd, env=environment, **streams)
    return ForkedProgram(list(arguments), cwd=cwd, env=environment, **streams)


def newest_run(folder: Path) -> dict[str, Any]:
    """The `run.json` of the newest run below `folder`/reports."""
    newest = max((folder / "reports").glob("*/run.json"))
    document: dict[str, Any] = json.loads(newest.read_text())
    return document


HANGS_AFTER_S = 4.0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """200 for everything but /missing, /slow only later, /hang never once the server is 4 s old."""
        if self.path.startswith("/slow"):
            time.sleep(0.05)
        if self.path.startswith("/hang") and time.monotonic() > self.server.hangs_from_s:  # type: ignore[attr-defined]
            self.server.released.wait(30)  # type: ignore[attr-defined]
        body = b"hello"
        self.send_response(404 if self.path.startswith("/missing") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Says back what it got, if it is what was to be sent."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        form = self.headers.get_content_type() == "multipart/form-data"
        photo = form and b'name="photo"; filename="rally.jpg"\r\nContent-Type: image/jpeg' in body and b"Rally" in body
        self.send_response(200 if photo or (body == b'{"a": 1}' and self.headers["X-One"] == "1") else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def small_server() -> Iterator[str]:
    """The base URL of a server that answers; it ends with the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.hangs_from_s = time.monotonic() + HANGS_AFTER_S  # type: ignore[attr-defined]
    server.released = threading.Event()  # type: ignore[attr-defined]
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients of a load test hang up as they like
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.released.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
        server.server_close()
