"""Starting, waiting for and stopping one child process through its guard."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from dbz.children import guard
from dbz.errors import DependencyError

_LOG_TAIL_LINES = 8


class Child:
    """A running program that cannot outlive this process.

    `argv` is started at once; its output is appended to `log`. `cleanup` names folders that are removed when the
    program has ended, even when this process was killed meanwhile. Used as a context manager it stops on exit.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cleanup: Sequence[Path] = (),
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-I", "-S", guard.__file__, str(log), *map(str, cleanup), "--", *argv]
        self._guard = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        self.pid = int(_stdout(self._guard).readline() or 0)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def exit_code(self) -> int | None:
        """The program's exit code (128 + signal when killed), or None while it runs."""
        return self._guard.poll()

    def interrupt(self, signum: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to the program itself, not to its guard; nothing happens when it has ended."""
        if self.exit_code is None:
            try:
                os.kill(self.pid, signum)
            except ProcessLookupError:
                return

    def wait(self, timeout_s: float) -> int | None:
        """The exit code once the program has ended, or None when `timeout_s` passed first."""
        try:
            return self._guard.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> int:
        """End the program (SIGTERM, then SIGKILL after the guard's grace period) and return its exit code."""
        if self._guard.stdin and not self._guard.stdin.closed:
            self._guard.stdin.close()
        code = self._guard.wait(guard.GRACE_S + 5)
        _stdout(self._guard).close()
        return code

    def log_tail(self) -> str:
        """The last lines of the program's log, for an error message."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def wait_until(ready: Callable[[], bool], child: Child, *, deadline_s: float, what: str) -> None:
    """Poll `ready` until it holds; `DependencyError` when the child ends or `deadline_s` seconds pass first."""
    end = time.monotonic() + deadline_s
    while not ready():
        code = child.exit_code
        if code is not None:
            raise DependencyError(
                f"{what} ended at start with code {code}:\n{child.log_tail()}", hint=f"log: {child.log}"
            )
        if time.monotonic() > end:
            raise DependencyError(f"{what} was not ready within {deadline_s:g} s", hint=f"log: {child.log}")
        time.sleep(0.02)


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
