"""Services that were not shaped to dbz: apps in Node and in Starlette, as somebody else would write them."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbz.children import Child, free_port, wait_until
from tests.load.socketio_servers import NODE_FOLDER, listens, node_packages


@contextmanager
def node_app(log: Path, file: str = "app.mjs", *arguments: str) -> Iterator[str]:
    """An app of tests/node for the length of a block: its URL."""
    node_packages()
    port = free_port()
    with Child("app", ["node", str(NODE_FOLDER / file), str(port), *arguments], log=log, grace_s=0.3) as child:
        wait_until(lambda: listens(port), child, deadline_s=20, what="app")
        yield f"http://127.0.0.1:{port}"


@contextmanager
def starlette_app(log: Path) -> Iterator[str]:
    """The app of `starlette_app.py` for the length of a block: its URL."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "--no-ws"]
    with Child("app", [*command, "tests.bring.starlette_app:app"], log=log, grace_s=1) as child:
        wait_until(lambda: listens(port), child, deadline_s=20, what="app")
        yield f"http://127.0.0.1:{port}"


def fail_a_share(url: str, share: float) -> None:
    """Let this share of the requests fail from now on."""
    body = json.dumps({"errors": share}).encode()
    request = urllib.request.Request(f"{url}/faults", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()
