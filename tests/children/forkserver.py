"""Commands that need not import `dbz` anew: forked from a process that has imported all of it.

The import is most of what a short command costs, and the tests run hundreds of them. What is forked is a process like
any other: with its own id, environment, folder, streams and exit code, and it ends as Python ends. How `dbz` starts
by itself is proved where it is what is tested, as in `tests/cli/test_startup.py` and wherever a test starts a `Popen`;
with DBZ_WHOLE_MATRIX every command starts by itself.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PACKAGES = (
    *("bring", "cache", "children", "cli", "config", "follow", "measure", "monitor", "protocols", "report", "runs"),
    *("scaling", "shards", "stack", "targets"),
)
"""Packages of `dbz` whose modules run in the process of a command; servers and generators are programs of their own."""
_LIBRARIES = ("asyncio", "boto3", "httpx", "pymongo", "redis.asyncio", "rich.live", "rich.markdown", "rich.table")
_READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "MALLOC", "SSL_")
"""Beginnings of the names of variables that Python, or what it imports, reads once."""
_MOST_BYTES = 1_000_000


class Forkserver:
    """A process that has imported `dbz`, and forks for each command; any thread may use it."""

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        self._channel, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", __name__, str(its_end.fileno())]
        with its_end:
            self._process = subprocess.Popen(
                command, cwd=ROOT, pass_fds=[its_end.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )

    def close(self) -> None:
        """End it; commands that still run go on."""
        self._channel.close()
        self._process.wait(30)

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Whether a command with this environment may be forked: what is read once must be as it was then."""
        return all(
            environment.get(name) == self._environment.get(name)
            for name in {*environment, *self._environment}
            if name.startswith(_READ_AT_THE_START)
        )

    def run(
        self, arguments: Sequence[str | bytes], cwd: Path, environment: Mapping[str, str], timeout_s: float
    ) -> subprocess.CompletedProcess[bytes]:
        """`dbz` with these arguments to its end; killed after so long, which is `subprocess.TimeoutExpired`."""
        words = list(map(os.fsdecode, arguments))
        job = json.dumps({"arguments": words, "cwd": str(cwd), "environment": dict(environment)}).encode()
        told, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        streams = [os.open(os.devnull, os.O_RDONLY), os.memfd_create("out"), os.memfd_create("errors")]
        try:
            with its_end:
                socket.send_fds(self._channel, [job], [*streams, its_end.fileno()])
            with told:
                pid = int(told.recv(100))
                told.settimeout(timeout_s)
                try:
                    code = int(told.recv(100))
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(["dbz", *words], timeout_s, *map(_whole, streams[1:])) from None
            return subprocess.CompletedProcess(["dbz", *words], code, *map(_whole, streams[1:]))
        finally:
            for stream in streams:
                os.close(stream)


def _whole(stream: int) -> bytes:
    """All that was written to a file in memory."""
    return os.pread(stream, os.fstat(stream).st_size, 0)


@functools.cache
def forkserver() -> Forkserver:
    """The one of this process, started when first asked for; it ends with this process."""
    server = Forkserver()
    atexit.register(server.close)
    return server


def _import_all() -> None:
    """Import what commands may need, also what they import when they come to it."""
    for name in _LIBRARIES:
        importlib.import_module(name)
    for package in _PACKAGES:
        path = [str(ROOT / "dbz" / package)]
        for module in pkgutil.walk_packages(path, f"dbz.{package}."):
            if not module.name.endswith(("__main__", ".guard")):
                importlib.import_module(module.name)
    assert threading.active_count() == 1, "a fork has the thread that forked, and the locks of all"


def serve(channel: socket.socket) -> list[str]:
    """Fork for each job that comes; returns only in the forks: the arguments of the command that each is to be."""
    running: dict[int, socket.socket] = {}
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    while True:
        ready, _, _ = select.select([channel, woken], [], [])
        if woken in ready:
            os.read(woken, _MOST_BYTES)
            _report_ended(running)
        if channel not in ready:
            continue
        data, received, _, _ = socket.recv_fds(channel, _MOST_BYTES, 4)
        if not data:
            sys.exit(0)
        *streams, told = received
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for unwanted in (channel.detach(), woken, wake, told, *(one.detach() for one in running.values())):
                os.close(unwanted)
            return _become(json.loads(data), streams)
        running[pid] = socket.socket(fileno=told)
        with contextlib.suppress(OSError):
            running[pid].send(str(pid).encode())
        for stream in streams:
            os.close(stream)


def _report_ended(running: dict[int, socket.socket]) -> None:
    """Tell the exit codes of what has ended to those who wait for them."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = ended
            with running.pop(pid) as told, contextlib.suppress(OSError):
                told.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(job: dict[str, object], streams: list[int]) -> list[str]:
    """Make this process what was asked for; returns the arguments of its command."""
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    arguments, environment = job["arguments"], job["environment"]
    assert isinstance(arguments, list) and isinstance(environment, dict)
    os.chdir(str(job["cwd"]))
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = str(job["cwd"])
    return arguments


if __name__ == "__main__":
    _import_all()
    gc.freeze()
    sys.argv = ["dbz", *serve(socket.socket(fileno=int(sys.argv[1])))]
    from dbz.cli.main import main

    main()
