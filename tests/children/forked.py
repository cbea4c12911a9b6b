"""Servers of the tests that need not import `dbz` anew."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dbz.children import Child, python_module
from tests.children.forkserver import ROOT, SERVERS, Job, forkserver
from tests.whole import WHOLE


def start_module(
    name: str, module: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> Child:
    """`python -m MODULE ARGUMENTS`, whose `main` reads `sys.argv`, with these variables more; forked if it can be."""
    given = {**os.environ, **(environment or {})}
    if WHOLE or not forkserver(SERVERS).suits(given):
        return Child(name, python_module(module.removesuffix(".__main__"), *arguments), log=log, env=environment)
    return ForkedChild(name, module, arguments, log=log, environment=given)


def run_module(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """`python -m MODULE` to its end with exactly these variables, or those of the tests; forked if it can be."""
    given = dict(os.environ if environment is None else environment)
    if WHOLE or not forkserver(SERVERS).suits(given):
        command = [sys.executable, "-m", module.removesuffix(".__main__"), *arguments]
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=timeout_s)
    done = forkserver(SERVERS).carry_out(Job(module, list(arguments), given, str(ROOT)), timeout_s)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


class ForkedChild(Child):
    """A program like any other `Child`, forked instead of executed; it has no guard but ends with the tests too."""

    def __init__(
        self, name: str, module: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = log
        self._ended: int | None = None
        streams = [os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)]
        try:
            job = Job(module, list(arguments), dict(environment), str(ROOT), with_parent=True)
            self.pid, self._told = forkserver(SERVERS).start(job, [*streams, streams[1]])
        finally:
            for stream in streams:
                os.close(stream)

    @property
    def exit_code(self) -> int | None:
        """The program's exit code (128 + signal when killed), or None while it runs."""
        return self.wait(0)

    def wait(self, timeout_s: float) -> int | None:
        """The exit code once the program has ended, or None when `timeout_s` passed first."""
        if self._ended is None and select.select([self._told], [], [], timeout_s)[0]:
            code = int(self._told.recv(100) or -signal.SIGKILL)  # nothing: the forkserver was killed, and that with it
            self._ended = code if code >= 0 else 128 - code
            self._told.close()
        return self._ended

    def release(self) -> None:
        """Ask the program to end, without waiting for it."""
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGTERM)

    def stop(self) -> int:
        """End the program and all that it started, wait until it has ended, and return its exit code."""
        self.release()
        code = self.wait(_GRACE_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return code if code is not None else self.wait(_GRACE_S) or 128 + signal.SIGKILL


_GRACE_S = 8.0
