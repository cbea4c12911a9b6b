"""Children of dbz that are forked by a process which has imported them, instead of started anew.

`install` changes how `dbz.children.Child` starts guards in this process: for a module that a forkserver knows, the
guard is forked there, and forks the program in its turn. All else is as ever: the guard is dbz's own code, it is told
by the same pipe when dbz is gone, and the program is its child, in a session of its own.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import IO, Any, NoReturn

from dbz.children import child, guard
from dbz.targets import processes
from tests.children.forkserver import CLOUDS, GENERATORS, SERVERS, STORES, Job, forkserver

_PROGRAMS = {
    "dbz.load.generator": (GENERATORS, "dbz.load.generator.__main__"),
    "dbz.load.generator.rehearsal": (GENERATORS, "dbz.load.generator.rehearsal"),
    "dbz.load.generator.inspection": (GENERATORS, "dbz.load.generator.inspection"),
    "dbz.server": (SERVERS, "dbz.server.__main__"),
    "dbz.server.seed": (SERVERS, "dbz.server.seed.__main__"),
    "dbz.cloud": (CLOUDS, "dbz.cloud.__main__"),
    "secantus": (STORES, "secantus.cli"),
}
"""What `python -P -m` is given, with who forks it and the module whose `main` it runs."""
_FROM_DBZ = ("PYTHONSAFEPATH", "PYTHONUNBUFFERED")
"""Variables that children get from dbz, and that a fork can follow."""
_GUARD = [sys.executable, "-I", "-S", guard.__file__]
_PYTHON = [sys.executable, "-P", "-m"]


def install() -> None:
    """Start children of this process warm, and count them as its children."""
    started: set[int] = set()
    child.subprocess = SimpleNamespace(  # type: ignore[assignment,attr-defined]
        PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired, Popen=partial(_start, started)
    )
    who_started_whom = processes._children

    def _children() -> Mapping[int, list[int]]:
        children = defaultdict(list, who_started_whom())
        children[os.getpid()] = [*children[os.getpid()], *started]
        return children

    processes._children = _children  # type: ignore[assignment]


def _start(started: set[int], command: list[str], **how: Any) -> subprocess.Popen[bytes] | ForkedGuard:
    """What `subprocess.Popen` gives for a guard, or something like it."""
    split = command.index("--")
    program = command[split + 1 :]
    known = _PROGRAMS.get(program[3]) if command[: len(_GUARD)] == _GUARD and program[:3] == _PYTHON else None
    if known is None or how["pass_fds"] or not forkserver(known[0]).suits(how["env"], besides=_FROM_DBZ):
        return subprocess.Popen(command, **how)
    kind, module = known
    sys.audit("subprocess.Popen", command[0], command, None, how["env"])  # for tests that hear what is started
    job = Job(module, program[4:], how["env"], os.getcwd(), guard=command[len(_GUARD) : split])  # noqa: PTH109
    try:
        forked = ForkedGuard(kind, job, how["stderr"].fileno())
    except OSError:  # in a network of its own, or more than passes in one piece
        return subprocess.Popen(command, **how)
    started.add(forked.pid)
    return forked


class ForkedGuard:
    """The part of `subprocess.Popen` that a `Child` uses, of a guard that was forked elsewhere."""

    def __init__(self, kind: str, job: Job, log: int) -> None:
        its_input, to_it = os.pipe()
        from_it, its_output = os.pipe()
        self.stdin: IO[bytes] = os.fdopen(to_it, "wb")
        self.stdout: IO[bytes] = os.fdopen(from_it, "rb")
        self.returncode: int | None = None
        self.pid = 0
        self._reading = threading.Lock()
        try:
            self.pid, self._told = forkserver(kind).start(job, [its_input, its_output, log])
        except BaseException:
            self.stdin.close()
            self.stdout.close()
            raise
        finally:
            os.close(its_input)
            os.close(its_output)

    def poll(self) -> int | None:
        """The exit code, negative after a signal, or None while it runs."""
        return self._ended_within(0)

    def wait(self, timeout: float) -> int:
        """The same once it has ended; `subprocess.TimeoutExpired` if that takes longer."""
        code = self._ended_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("guard", timeout)
        return code

    def _ended_within(self, timeout_s: float) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout_s)[0]:
            with self._reading:
                if self.returncode is None:  # nothing: who forked it was killed
                    self.returncode = int(self._told.recv(100) or -signal.SIGKILL)
        return self.returncode

    def kill(self) -> None:
        """Kill the guard."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def __del__(self) -> None:
        if self.pid:
            self._told.close()


def guard_program(guards: Sequence[str], module: str, arguments: Sequence[str]) -> int:
    """Be the guard of a program: in the fork that it makes, go on as that program instead of executing one."""
    from tests.children import zygote  # which imports this module

    execute = os.execvp
    kept = {*map(int, os.listdir("/proc/self/fd"))}  # noqa: PTH208

    def go_on(_file: str, _argv: Sequence[str]) -> NoReturn:
        os.execvp = execute
        for descriptor in {*map(int, os.listdir("/proc/self/fd"))} - kept:  # noqa: PTH208
            _close(descriptor)
        at_once = zygote.patch_again()
        zygote.end_as_python(lambda: zygote.run_program(module, list(arguments)), at_once=at_once)

    os.execvp = go_on  # type: ignore[assignment]
    return guard.main([*guards, "--", module])


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:  # that with which the folder was read
        return
