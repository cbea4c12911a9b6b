"""Programs that need not import `dbz` anew: forked from a process that has imported all of it.

The import is most of what a short command or the start of a server costs, and the tests run hundreds. What is forked
is a process like any other: with its own id, environment, folder, streams and exit code, and it ends as Python ends.
How `dbz` starts by itself is proved where it is what is tested, as in `tests/cli/test_startup.py`, wherever a test
starts a `Popen`, and by every `dbz serve`; with DBZ_WHOLE_MATRIX every program starts by itself.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
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
COMMANDS, SERVERS = "commands", "servers"
"""What a forkserver makes: they import different things, so each has one of its own."""
_PACKAGES = {
    COMMANDS: (
        *("bring", "cache", "children", "cli", "config", "follow", "measure", "monitor", "protocols", "report", "runs"),
        *("scaling", "shards", "stack", "targets"),
    ),
    SERVERS: ("band", "cache", "children", "config", "server", "shards"),
}
"""Packages of `dbz` whose modules run in such a process; generators are programs of their own."""
_LIBRARIES = {
    COMMANDS: ("asyncio", "boto3", "httpx", "pymongo", "redis.asyncio", "rich.live", "rich.markdown", "rich.table"),
    SERVERS: ("asyncio", "httpx", "uvloop", "PIL.Image", "PIL.JpegImagePlugin"),
}
_READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "MALLOC", "SSL_")
"""Beginnings of the names of variables that Python, or what it imports, reads once."""
_MOST_BYTES = 1_000_000
_PR_SET_PDEATHSIG = 1


class Forkserver:
    """A process that has imported what programs of one kind need, and forks for each; any thread may use it."""

    def __init__(self, kind: str) -> None:
        self._environment = dict(os.environ)
        self._channel, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", __name__, str(its_end.fileno()), kind]
        with its_end:
            self._process = subprocess.Popen(
                command, cwd=ROOT, pass_fds=[its_end.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )

    def close(self) -> None:
        """End it; commands that still run go on, servers are killed."""
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
        streams = [os.open(os.devnull, os.O_RDONLY), os.memfd_create("out"), os.memfd_create("errors")]
        try:
            pid, told = self.start("dbz.cli.main", words, cwd, environment, streams)
            with told:
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

    def start(
        self, module: str, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], streams: Sequence[int]
    ) -> tuple[int, socket.socket]:
        """Fork a process that runs `main` of a module: its id, and a socket that will tell its exit code.

        `streams` are its standard input, output and errors; they stay open here.
        """
        job = {"module": module, "arguments": list(arguments), "cwd": str(cwd), "environment": dict(environment)}
        told, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its_end:
            socket.send_fds(self._channel, [json.dumps(job).encode()], [*streams, its_end.fileno()])
        pid = told.recv(100)
        if not pid:
            told.close()
            raise ChildProcessError("the forkserver has ended; what it said is above")
        return int(pid), told


def _whole(stream: int) -> bytes:
    """All that was written to a file in memory."""
    return os.pread(stream, os.fstat(stream).st_size, 0)


@functools.cache
def forkserver(kind: str = COMMANDS) -> Forkserver:
    """The one of this process, started when first asked for; it ends with this process."""
    server = Forkserver(kind)
    atexit.register(server.close)
    return server


def _import_all(kind: str) -> None:
    """Import what these programs may need, also what they import when they come to it."""
    for name in _LIBRARIES[kind]:
        importlib.import_module(name)
    for package in _PACKAGES[kind]:
        path = [str(ROOT / "dbz" / package)]
        for module in pkgutil.walk_packages(path, f"dbz.{package}."):
            if kind == SERVERS or not module.name.endswith(("__main__", ".guard")):
                importlib.import_module(module.name)
    assert threading.active_count() == 1, "a fork has the thread that forked, and the locks of all"


def serve(channel: socket.socket, kind: str) -> tuple[str, list[str]]:
    """Fork for each job that comes; returns only in the forks: the module that each is to run, and its arguments."""
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
            if kind == SERVERS:
                _end_with_parent()
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


def _end_with_parent() -> None:
    """A session of its own, and no life beyond that of the tests: what a guard sees to elsewhere."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _become(job: dict[str, object], streams: list[int]) -> tuple[str, list[str]]:
    """Make this process what was asked for; returns its module and its arguments."""
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    arguments, environment = job["arguments"], job["environment"]
    assert isinstance(arguments, list) and isinstance(environment, dict)
    os.chdir(str(job["cwd"]))
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = str(job["cwd"])
    return str(job["module"]), arguments


def _run(channel: socket.socket, kind: str) -> None:
    _import_all(kind)
    gc.freeze()
    name, arguments = serve(channel, kind)
    module = importlib.import_module(name)
    sys.argv = [name if kind == SERVERS else "dbz", *arguments]
    sys.exit(module.main())


if __name__ == "__main__":
    _run(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
