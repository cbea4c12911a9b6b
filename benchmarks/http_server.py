"""The server that all HTTP peers load: nginx where it is installed, a granian RSGI application elsewhere."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbz.children import Child, free_port, wait_until

BODY_BYTES = 2048

_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type text/plain;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{body}"; }} }}
}}
"""


async def app(_scope: object, protocol: object) -> None:
    """The RSGI application for machines without nginx."""
    protocol.response_bytes(200, [("content-type", "text/plain")], b"x" * BODY_BYTES)  # type: ignore[attr-defined]


@contextmanager
def serving(core: int) -> Iterator[tuple[str, str, Child]]:
    """A server pinned to one core: its URL, its name, its process."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = _nginx(folder, port) if shutil.which("nginx") else _granian(port)
        with Child("server", [*pinned(core), *program], log=folder / "server.log") as child:
            wait_until(lambda: _answers(port), child, deadline_s=10, what="the server")
            yield f"http://127.0.0.1:{port}/", "nginx" if shutil.which("nginx") else "granian", child


def pinned(core: int) -> list[str]:
    """The beginning of a command line that keeps a program on one core, where that can be asked for."""
    return ["taskset", "-c", str(core)] if shutil.which("taskset") else []


def _nginx(folder: Path, port: int) -> list[str]:
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, body="x" * BODY_BYTES))
    return [shutil.which("nginx") or "nginx", "-p", str(folder), "-c", str(config)]


def _granian(port: int) -> list[str]:
    granian = [sys.executable, "-m", "granian", "--interface", "rsgi", "--host", "127.0.0.1", "--port", str(port)]
    return [*granian, "--no-access-log", "--working-dir", str(Path(__file__).parent), "http_server:app"]


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
