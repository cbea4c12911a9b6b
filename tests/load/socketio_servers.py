"""Starting real Socket.IO servers, in Python and in Node.js, and clients whose records tests can read."""

import fcntl
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
import pytest

from dbz.children import Child, free_port, wait_until
from dbz.load.generator import wire
from dbz.load.generator.socketio.client import SocketClient, SocketOptions
from tests.load.recorders import recorder_in

NODE_FOLDER = Path(__file__).parents[1] / "node"
PYTHON, NODE = "python", "node"


def node_packages() -> None:
    """Install the reference implementation once, or skip the test that needs it."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node.js and npm are not installed: nothing to test against the reference implementation")
    with (NODE_FOLDER / ".lock").open("w") as lock:  # several test processes come here at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install()


def _install() -> None:
    installed, wanted = NODE_FOLDER / "node_modules" / ".package-lock.json", NODE_FOLDER / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=NODE_FOLDER, check=True, timeout=100, stdout=subprocess.DEVNULL)
        installed.touch()


@contextmanager
def serving(kind: str, log: Path, port: int = 0, certificate: str = "", **options: Any) -> Iterator[tuple[str, Child]]:
    """A server for the length of a block: its URL and process. Options are named as in Node."""
    port = port or free_port()
    if kind == NODE:
        node_packages()
        command = ["node", str(NODE_FOLDER / "server.mjs"), str(port), json.dumps(options)]
    else:
        command = [sys.executable, "-m", "tests.load.socketio_server", str(port), json.dumps(options)]
        command += [certificate] if certificate else []
    with Child(kind, command, log=log, grace_s=0.3) as child:
        wait_until(lambda: listens(port), child, deadline_s=20, what=kind)
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}", child


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


@dataclass
class Member:
    """A client with all that it was told, and what it recorded."""

    client: SocketClient
    events: list[tuple[Any, ...]] = field(default_factory=list)
    recorder: Any = None

    def listen(self, *events: str, to: Any = None) -> None:
        """Keep these events, of the default namespace or of another one."""
        for event in events:
            (to or self.client).on(event, lambda *given, event=event: self.events.append((event, *given)))

    def errors(self) -> dict[tuple[str, str], str]:
        """What went wrong: the last message of each kind and name."""
        return {(kind, name): error for kind, name, error in self.recorder._errors}

    def successes(self) -> dict[tuple[str, str], int]:
        """How many attempts succeeded, by kind and name."""
        return {key: sum(counts.values()) for key, counts in self.recorder._ok.items()}

    def failures(self) -> dict[tuple[str, str], int]:
        """How many attempts failed, by kind and name."""
        return {key: sum(counts.values()) for key, counts in self.recorder._failed.items()}


@contextmanager
def member_of(url: str, folder: Path, **options: Any) -> Iterator[Member]:
    """A client that is not connected yet; afterwards it leaves no descriptor open."""
    with recorder_in(folder) as recorder:
        member = Member(SocketClient(url, recorder, SocketOptions(**options)), recorder=recorder)
        yield member
        member.client.disconnect()
        gevent.sleep(0)


def until(reached: Callable[[], Any], what: str, deadline_s: float = 10.0) -> None:
    """Give way to the event loop until something holds."""
    end_s = time.monotonic() + deadline_s
    while not reached():
        assert time.monotonic() < end_s, f"waited {deadline_s:g} s in vain: {what}"
        gevent.sleep(0.005)


@contextmanager
def sweeping() -> Iterator[None]:
    """The greenlet that ends waits whose deadline has passed, as in a generator process."""
    sweep = gevent.spawn(wire.sweep_deadlines)
    try:
        yield
    finally:
        sweep.kill()


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
