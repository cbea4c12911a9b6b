"""Stands between dbz and one program, and ends that program when dbz is gone.

Run as a script (`python -I -S guard.py GRACE_S SCRATCH… -- PROGRAM ARG…`) with nothing but the standard library, so
that it starts in a few milliseconds. Standard input is a pipe whose other end dbz holds: end of file means that dbz
ended, however it ended. The first line on standard output is the program's process id; standard error is the log,
which the program gets as its own standard output and error.

The SCRATCH folders are made here, not by dbz, so that no moment is left in which dbz could die and leave one behind.
On end of file or SIGTERM the program gets SIGTERM, GRACE_S seconds later its whole process group gets SIGKILL, and
the SCRATCH folders are removed. On Linux the kernel also ends the program when the guard itself is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.02
_PROGRAMS_OWN_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere the pipe alone must do
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def start(argv: list[str]) -> int:
    """Fork and execute `argv` in a session of its own; returns its process id."""
    guard_pid = os.getpid()
    # Held back over the fork: a SIGTERM in the moment before the program is executed would get lost in our handler.
    signal.pthread_sigmask(signal.SIG_BLOCK, _PROGRAMS_OWN_SIGNALS)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PROGRAMS_OWN_SIGNALS)
        return pid
    for signum in _PROGRAMS_OWN_SIGNALS:
        signal.signal(signum, signal.SIG_DFL)  # a signal ignored here would stay ignored in the program
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PROGRAMS_OWN_SIGNALS)
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard_pid:  # killed before the kernel was told
        os._exit(128 + signal.SIGKILL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 the argument list comes from dbz itself
    except OSError as error:
        os.write(2, f"cannot start {argv[0]}: {error.strerror}\n".encode())
        os._exit(126 if isinstance(error, PermissionError) else 127)


def wait(pid: int, deadline: float) -> int | None:
    """The exit code of `pid` (128 + signal when it was killed), or None when it still runs at `deadline`."""
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return _code(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(_POLL_S)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def terminate(pid: int, grace_s: float) -> int:
    """Ask `pid` to end, insist after `grace_s` seconds, and return its exit code."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    code = wait(pid, time.monotonic() + grace_s)
    if code is None:
        sweep_group(pid)
        code = _code(os.waitpid(pid, 0)[1])
    return code


def sweep_group(pid: int) -> None:
    """Send SIGKILL to every process of the program's group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def reap_group(pid: int) -> None:
    """Wait until the processes that the program left behind are gone; only then is its scratch folder quiet."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-pid, 0)


def watch(pid: int, wake: int, terminated: list[int], grace_s: float) -> int:
    """Wait until the program ends, dbz ends, or a signal asks for the end; returns the program's exit code."""
    while True:
        code = wait(pid, deadline=0.0)
        if code is not None:
            return code
        readable, _, _ = select.select([0, wake], [], [], 1.0)
        if wake in readable:
            os.read(wake, 512)
        if terminated or (0 in readable and not os.read(0, 512)):
            return terminate(pid, grace_s)


def listen_for_signals() -> tuple[int, list[int]]:
    """A descriptor that becomes readable at every signal, and the list of signals that asked for the end."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    terminated: list[int] = []
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda received, _frame: terminated.append(received))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # A Ctrl-C in the terminal is dbz's to handle: it decides when and in which order its children end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return wake_read, terminated


def run(argv: list[str], scratch: list[str], grace_s: float) -> int:
    """Run the program `argv` to its end, however that comes; returns its exit code."""
    wake, terminated = listen_for_signals()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)  # what the program leaves behind becomes the guard's to end
    for folder in scratch:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 importing pathlib takes as long as all else here
    pid = start(argv)
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{pid}\n".encode())
    code = watch(pid, wake, terminated, grace_s)
    sweep_group(pid)
    reap_group(pid)
    return code


def main(argv: list[str]) -> int:
    """Run the program named after `--`; the exit code is the program's."""
    split = argv.index("--")
    grace_s, scratch = float(argv[0]), argv[1:split]
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # dbz holds its signals back while it starts a guard
    try:
        return run(argv[split + 1 :], scratch, grace_s)
    except OSError as error:
        os.write(2, f"cannot guard {argv[split + 1]}: {error}\n".encode())
        return 1
    finally:
        for folder in scratch:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
