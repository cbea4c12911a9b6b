"""Stands between dbz and one program, and ends that program when dbz is gone.

Run as a script (`python -I -S guard.py LOG CLEANUP… -- PROGRAM ARG…`) with nothing but the standard library, so that
it starts in a few milliseconds. Standard input is a pipe whose other end dbz holds: end of file means that dbz ended,
however it ended. The first line on standard output is the program's process id.

On end of file or SIGTERM the program gets SIGTERM, `GRACE_S` later its whole process group gets SIGKILL, and the
folders named as CLEANUP are removed. On Linux the kernel also ends the program when the guard itself is killed.
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

GRACE_S = 8.0
_PR_SET_PDEATHSIG = 1


def start(argv: list[str], log: str) -> int:
    """Fork and execute `argv` in a session of its own, output appended to `log`; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere the pipe alone must do
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 the argument list comes from dbz itself
    except OSError as error:
        os.write(2, f"cannot start {argv[0]}: {error}\n".encode())
        os._exit(127)


def ended(pid: int) -> int | None:
    """The exit code of `pid` when it has ended (128 + signal when it was killed), else None."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return None if done == 0 else _code(status)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def stop(pid: int) -> int:
    """Ask `pid` to end, insist after the grace period, and leave nothing of its process group behind."""
    deadline = time.monotonic() + GRACE_S
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    code = ended(pid)
    while code is None and time.monotonic() < deadline:
        time.sleep(0.02)
        code = ended(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    return code if code is not None else _code(os.waitpid(pid, 0)[1])


def watch(pid: int) -> int:
    """Wait until the program ends, dbz ends, or SIGTERM arrives; returns the program's exit code."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    terminated = []
    signal.signal(signal.SIGTERM, lambda *_: terminated.append(True))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        code = ended(pid)
        if code is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            return code
        readable, _, _ = select.select([0, wake_read], [], [], 1.0)
        if wake_read in readable:
            os.read(wake_read, 512)
        if terminated or (0 in readable and not os.read(0, 512)):
            return stop(pid)


def main(argv: list[str]) -> int:
    """Run the program named after `--`; the exit code is the program's."""
    split = argv.index("--")
    log, *cleanup = argv[:split]
    # A Ctrl-C in the terminal is dbz's to handle: it decides when and in which order its children end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pid = start(argv[split + 1 :], log)
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{pid}\n".encode())
    try:
        return watch(pid)
    finally:
        for folder in cleanup:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
