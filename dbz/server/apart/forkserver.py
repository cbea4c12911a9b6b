"""A process that has imported the server, and forks for each service that is to run: it serves in milliseconds.

The import is nearly all that the start of a service costs, and after a kill everybody waits for it. This process is
executed, not forked from the one that asks: it never holds a secret that not all services may know. What one service
needs to know it reads itself, after the fork.
"""

from __future__ import annotations

from dbz.server.imports import all_loaded, load_quickly

if __name__ == "__main__":  # another program that imports this one may have a use for it
    load_quickly()

import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading

CHANNEL = 3
"""The descriptor of the socket over which jobs come: each a file in memory, and a socket to tell of it."""
MOST_BYTES = 1_000_000
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36
_LATE = ("uvloop", "PIL.Image", "PIL.ImageOps", "PIL.JpegImagePlugin")
"""What a service would import when its first request, or its event loop, needs it."""
_ENDING = (signal.SIGTERM, signal.SIGINT)


class ForkServer:
    """Forks for each job until the channel closes; then, or on SIGTERM, it ends with all that it forked."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pid = os.getpid()
        self._running: dict[int, socket.socket] = {}
        self._ending = False
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> int | None:
        """Returns when all has ended; and in each new process, with the file in which its job lies."""
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for signum in _ENDING:
            signal.signal(signum, self._ask_to_end)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        asked = False
        while self._running or not self._ending:
            if self._ending and not asked:
                asked = True
                self._end_all()
            watched = [self._woken] if self._ending else [self._woken, self._channel.fileno()]
            ready, _, _ = select.select(watched, [], [])
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, MOST_BYTES)
                self._report_ended()
            if self._channel.fileno() in ready and (job := self._fork()) is not None:
                return job
        return None

    def _ask_to_end(self, *_: object) -> None:
        self._ending = True

    def _fork(self) -> int | None:
        """Fork for the next job, if there is one more; in the new process the file with it."""
        data, received, _, _ = socket.recv_fds(self._channel, 1, 2)
        if not data:
            self._ending = True
            return None
        job, told = received
        pid = os.fork()
        if not pid:
            self._become_new(told)
            return job
        os.close(job)
        self._running[pid] = socket.socket(fileno=told)
        with contextlib.suppress(OSError):
            self._running[pid].send(str(pid).encode())
        return None

    def _become_new(self, told: int) -> None:
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGCHLD, *_ENDING):
            signal.signal(signum, signal.SIG_DFL)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setpgid(0, 0)
        if os.getppid() != self._pid:  # killed before the kernel was told
            os._exit(128 + signal.SIGKILL)
        for unwanted in (told, self._woken, self._wake):
            os.close(unwanted)
        for each in (self._channel, *self._running.values()):
            each.close()

    def _end_all(self) -> None:
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _report_ended(self) -> None:
        """Tell the exit codes of what has ended to those who wait for them."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                told = self._running.pop(pid, None)
                if told is None:
                    continue  # it was left behind by what had started it, and came to this process
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)  # what it has left behind
                with told, contextlib.suppress(OSError):
                    told.send(str(os.waitstatus_to_exitcode(status)).encode())


def _prctl(option: int, value: object) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _become(job: int) -> list[str]:
    """Take over from a job the name that operators see, and the variables of this service alone; its arguments."""
    with os.fdopen(job, "rb") as file:
        told = json.loads(file.read())
    _prctl(_PR_SET_NAME, told["name"].encode()[:15])
    os.environ.update(told["environment"])
    arguments: list[str] = told["arguments"]
    return arguments


def main(module: str) -> int:
    """Fork processes that run `main` of a module, with their arguments as its one argument."""
    started = importlib.import_module(module).main
    for name in _LATE:
        importlib.import_module(name)
    if threading.active_count() > 1:
        raise RuntimeError("a fork has the thread that forked, and the locks of all")
    all_loaded()  # or the first collection in a process would copy all that they share
    job = ForkServer(socket.socket(fileno=CHANNEL)).run()
    return 0 if job is None else int(started(_become(job)) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
