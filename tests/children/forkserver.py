"""Programs that need not import `dbz` anew: forked from a process that has imported all of it.

The import is most of what a short command, a generator or the start of a server costs, and the tests run hundreds. What
is forked is a process like any other: with its own id, environment, folder, streams and exit code, and it ends as
Python ends. How `dbz` starts by itself is proved where it is what is tested, as in `tests/cli/test_startup.py`,
wherever a test starts a `Popen`, and by every `dbz serve`; with DBZ_WHOLE_MATRIX every program starts by itself.

This is the side of those who ask; `tests/children/zygote.py` is the process that forks, one for each kind of program,
and `tests/children/warm.py` starts children of dbz from there.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMANDS, SERVERS, GENERATORS, CLOUDS, STORES = KINDS = ("commands", "servers", "generators", "clouds", "stores")
"""What is forked: each kind imports different things in a process of its own, when it is first asked for."""
_READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "MALLOC", "SSL_", "OPENSSL", "TZ", "GEVENT", "LOCUST")
"""Beginnings of the names of variables that Python, or what it imports, reads once."""


@dataclass(frozen=True)
class Job:
    """A process that is to be forked."""

    module: str
    """Whose `main` it runs; it reads `sys.argv`."""
    arguments: Sequence[str]
    environment: Mapping[str, str]
    cwd: str
    guard: Sequence[str] | None = None
    """Arguments of dbz's guard up to `--`, when the process is to be that guard, and starts the program itself."""
    with_parent: bool = False
    """Whether it is to end with the tests, in a session of its own: what a guard sees to elsewhere."""


@dataclass(frozen=True)
class Forkserver:
    """Where to ask for processes of one kind; any thread may."""

    address: str
    started_with: Mapping[str, str]
    """The environment in which the process that forks was started."""

    def suits(self, environment: Mapping[str, str], besides: Sequence[str] = ()) -> bool:
        """Whether a command with this environment may be forked: what is read once must be as it was then.

        `besides` names variables that do not matter.
        """
        return all(
            environment.get(name) == self.started_with.get(name)
            for name in {*environment, *self.started_with}
            if name.startswith(_READ_AT_THE_START) and name not in besides
        )

    def run(
        self, arguments: Sequence[str | bytes], cwd: Path, environment: Mapping[str, str], timeout_s: float
    ) -> subprocess.CompletedProcess[bytes]:
        """`dbz` with these arguments to its end; killed after so long, which is `subprocess.TimeoutExpired`."""
        words = list(map(os.fsdecode, arguments))
        return self.carry_out(Job("dbz.cli.main", words, dict(environment), str(cwd)), timeout_s)

    def carry_out(self, job: Job, timeout_s: float) -> subprocess.CompletedProcess[bytes]:
        """A job to its end, with what it wrote; killed after so long, which is `subprocess.TimeoutExpired`."""
        command = [job.module, *job.arguments]
        streams = [os.open(os.devnull, os.O_RDONLY), os.memfd_create("out"), os.memfd_create("errors")]
        try:
            pid, told = self.start(job, streams)
            with told:
                told.settimeout(timeout_s)
                try:
                    code = int(told.recv(100))
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(command, timeout_s, *map(_whole, streams[1:])) from None
            return subprocess.CompletedProcess(command, code, *map(_whole, streams[1:]))
        finally:
            for stream in streams:
                os.close(stream)

    def start(self, job: Job, streams: Sequence[int]) -> tuple[int, socket.socket]:
        """Fork a process: its id, and a socket that will tell its exit code.

        `streams` are its standard input, output and errors; they stay open here.
        """
        told = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            told.connect(self.address)
            socket.send_fds(told, [json.dumps(asdict(job)).encode()], streams)
            pid = told.recv(100)
        except BaseException:
            told.close()
            raise
        if not pid:
            told.close()
            raise ChildProcessError("the forkserver has ended; what it said is above")
        return int(pid), told


def _whole(stream: int) -> bytes:
    """All that was written to a file in memory."""
    return os.pread(stream, os.fstat(stream).st_size, 0)


def forkserver(kind: str = COMMANDS) -> Forkserver:
    """The one of these tests for a kind; all are started when the first is asked for, and end with the tests."""
    return _inherited[kind] if _inherited else _start_all()[kind]


_inherited: dict[str, Forkserver] = {}
"""Those of the tests, in a process that did not start them."""


def inherit(addresses: Mapping[str, str]) -> None:
    """Let this process, which has the environment of the tests, ask where the tests ask: addresses by kind."""
    _inherited.update({kind: Forkserver(address, dict(os.environ)) for kind, address in addresses.items()})


def shared() -> dict[str, str]:
    """Addresses by kind, for other processes of these tests: each kind imports its things once for all of them."""
    return {kind: server.address for kind, server in _start_all().items()}


@functools.cache
def _start_all() -> dict[str, Forkserver]:
    """One process that forks itself for each kind; no file is in its way, and none is left behind."""
    name = f"\0dbz-tests-{os.getpid()}-{secrets.token_hex(8)}"
    servers = {kind: Forkserver(f"{name}-{kind}", dict(os.environ)) for kind in KINDS}
    listeners = {kind: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for kind in KINDS}
    ends_with, life = os.pipe()
    for kind, listener in listeners.items():
        listener.bind(servers[kind].address)
        listener.listen(64)
    handed = {kind: (servers[kind].address, listener.fileno()) for kind, listener in listeners.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.children.zygote", json.dumps(handed), str(ends_with)],
        cwd=ROOT,
        pass_fds=[ends_with, *(listener.fileno() for listener in listeners.values())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C is for the tests, with which it ends
    )
    os.close(ends_with)
    for listener in listeners.values():
        listener.close()

    def end() -> None:
        """Commands that still run go on, servers without a guard are killed."""
        os.close(life)
        process.wait(30)

    atexit.register(end)
    return servers
