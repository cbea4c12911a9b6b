"""Starting real WebSocket servers with a protocol of their own, in Python and in Node.js."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbz.children import Child, free_port, wait_until
from tests.load.socketio_servers import NODE, NODE_FOLDER, listens, node_packages


@contextmanager
def websocket_server(kind: str, log: Path) -> Iterator[str]:
    """A server for the length of a block: its URL."""
    port = free_port()
    if kind == NODE:
        node_packages()
        command = ["node", str(NODE_FOLDER / "websocket.mjs"), str(port)]
    else:
        command = [sys.executable, "-m", "tests.load.websocket_server", str(port)]
    with Child(kind, command, log=log, grace_s=0.3) as child:
        wait_until(lambda: listens(port), child, deadline_s=30, what=kind)
        yield f"http://127.0.0.1:{port}"
