"""Starting, waiting for and stopping one child process through its guard."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from dbz.children import descriptors as moving
from dbz.children import guard
from dbz.errors import DependencyError, UsageError

_LOG = logging.getLogger(__name__)

_LOG_TAIL_LINES = 8
_LOG_TAIL_BYTES = 8_192
_GUARD_MARGIN_S = 5.0
_LOOK_S = 0.01
_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)


class Child:
    """A running program that cannot outlive this process.

    `argv` is started at once, in a session of its own; its output is appended to `log`. `scratch` names folders that
    are made for the program (private to the user) and removed when it has ended, even when this process was killed
    meanwhile. A program that ignores SIGTERM is killed after `grace_s` seconds, with everything it started.
    `descriptors` of this process become the program's 3, 4 and so on; they stay open here until the caller closes them.
    Used as a context manager it stops on exit.

    Raises `UsageError` when the log cannot be written, `DependencyError` when a scratch folder cannot be made.
    A program that does not exist ends at once with exit code 127 and says so in the log.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        scratch: Sequence[Path] = (),
        grace_s: float = 8.0,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        self._scratch = tuple(scratch)
        self._grace_s = grace_s
        self._guard_lost = False
        self.pid = 0
        if descriptors:
            given = ",".join(map(str, descriptors))
            argv = [sys.executable, "-I", "-S", moving.__file__, given, *argv]
        command = [sys.executable, "-I", "-S", guard.__file__, str(grace_s), *map(str, scratch), "--", *argv]
        started = False
        try:
            with _signals_held(), _opened_log(log) as output:
                self._guard = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=output,
                    env={**_safe_environment(), **(env or {})},
                    start_new_session=True,
                    pass_fds=tuple(descriptors),
                )
                started = True
            self.pid = self._program_pid()
            _LOG.info("started %s, process %d; its log: %s", name, self.pid, log)
        except BaseException:  # a signal that raises too: nobody else could stop this child yet
            if started:
                self.stop()
            raise

    def _program_pid(self) -> int:
        line = _stdout(self._guard).readline()
        if not line:
            self.wait(_GUARD_MARGIN_S)
            raise DependencyError(
                f"{self.name} could not be started:\n{self.log_tail()}", hint=f"log: {self.log}", code="E015"
            )
        return int(line)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def exit_code(self) -> int | None:
        """The program's exit code (128 + signal when killed), or None while it runs."""
        return self._code(self._guard.poll())

    def _code(self, guard_code: int | None) -> int | None:
        if guard_code is None or guard_code >= 0:
            return guard_code
        if not self._guard_lost:
            self._guard_lost = True
            self._clean_up_after_guard()
        return 128 - guard_code

    def _clean_up_after_guard(self) -> None:
        # Somebody killed the guard: the kernel has ended the program, but not what the program had started.
        if self.pid:  # the group 0 would be our own
            guard.sweep_group(self.pid)
        for folder in self._scratch:
            shutil.rmtree(folder, ignore_errors=True)

    def interrupt(self, signum: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to the program itself, not to its guard; nothing happens when it has ended."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def wait(self, timeout_s: float) -> int | None:
        """The exit code once the program has ended, or None when `timeout_s` passed first."""
        end_s = time.monotonic() + timeout_s
        wait_for_an_end([self], timeout_s)
        try:
            return self._code(self._guard.wait(max(end_s - time.monotonic(), 0.0)))
        except subprocess.TimeoutExpired:
            return None

    def ends_at(self) -> int | None:
        """A descriptor that hangs up when the program has ended; None when that is known already."""
        output = _stdout(self._guard)
        return None if output.closed or self._guard.returncode is not None else output.fileno()

    def release(self) -> None:
        """Let the guard end the program (SIGTERM, then SIGKILL after the grace period) without waiting for it."""
        if self._guard.stdin and not self._guard.stdin.closed:
            self._guard.stdin.close()

    def stop(self) -> int:
        """End the program, wait until it has ended, and return its exit code."""
        self.release()
        code = self.wait(self._grace_s + _GUARD_MARGIN_S)
        if code is None:
            self._guard.kill()
            code = self.wait(_GUARD_MARGIN_S)
        _stdout(self._guard).close()
        return 128 + signal.SIGKILL if code is None else code

    def log_tail(self) -> str:
        """The last lines of the program's log, for an error message."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
        except OSError:
            return ""


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back: one that raised between the fork and the return would leave a child that nobody knows."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _safe_environment() -> dict[str, str]:
    """This process's variables, by which no Python program below it searches the current folder for modules.

    That is `-P` for those that a child starts in its turn. An empty entry of PYTHONPATH means the current folder too,
    which hardly anybody knows: `PYTHONPATH=$PYTHONPATH:lib` makes one.
    """
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    folders = [entry for entry in environment.pop("PYTHONPATH", "").split(os.pathsep) if entry]
    return environment | ({"PYTHONPATH": os.pathsep.join(folders)} if folders else {})


def _opened_log(log: Path) -> IO[bytes]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("ab")
    except OSError as error:
        raise UsageError(
            f"the log {log} cannot be written: {error.strerror}", hint="name a folder that you own", code="E006"
        ) from error


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def python_module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of this installation as a program.

    `-P` keeps the folder that the user happens to stand in off the search path: a `queue.py` there, which may be
    anybody's, would be executed in place of the standard library's.
    """
    return [sys.executable, "-P", "-m", name, *arguments]


def stop_all(children: Iterable[Child]) -> None:
    """End several programs at the same time and wait until all have ended."""
    stopping = list(children)
    for child in stopping:
        child.release()
    for child in stopping:
        child.stop()


def wait_for_an_end(children: Iterable[Child], timeout_s: float) -> None:
    """Wait until one of these programs ends, but no longer than `timeout_s`; not at all without programs that all run.

    The standard library looks in growing pauses; this returns in the moment in which a guard ends.
    """
    descriptors = [child.ends_at() for child in children]
    hang_ups = select.poll()
    for descriptor in descriptors:
        if descriptor is not None:
            hang_ups.register(descriptor, 0)
    if descriptors and None not in descriptors:
        hang_ups.poll(max(timeout_s, 0.0) * 1000)


def wait_until(ready: Callable[[], bool], child: Child, *, deadline_s: float, what: str) -> None:
    """Poll `ready` until it holds; `DependencyError` when the child ends or `deadline_s` seconds pass first."""
    end = time.monotonic() + deadline_s
    while not ready():
        code = child.exit_code
        if code is not None:
            raise DependencyError(
                f"{what} ended at start with code {code}:\n{child.log_tail()}", hint=f"log: {child.log}", code="E015"
            )
        if time.monotonic() > end:
            raise DependencyError(
                f"{what} was not ready within {deadline_s:g} s", hint=f"log: {child.log}", code="E015"
            )
        time.sleep(_LOOK_S)


_given: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that was free a moment ago, and another one each time: who got the last may not listen on it yet."""
    while True:
        with socket.socket() as probe:
            probe.bind((host, 0))
            port = int(probe.getsockname()[1])
        if port not in _given:
            _given.add(port)
            return port
