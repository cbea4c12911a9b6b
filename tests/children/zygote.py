"""The process that forks programs which it has imported: `python -m tests.children.zygote`, started by `forkserver`."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from tests.children import warm
from tests.children.forkserver import CLOUDS, COMMANDS, GENERATORS, ROOT, SERVERS, STORES, Job, inherit
from tests.children.processes import title
from tests.coverage import forks

_PACKAGES = {
    COMMANDS: (
        *("dbz.bring", "dbz.cache", "dbz.children", "dbz.cli", "dbz.config", "dbz.follow", "dbz.measure"),
        *(
            "dbz.monitor",
            "dbz.protocols",
            "dbz.report",
            "dbz.runs",
            "dbz.scaling",
            "dbz.shards",
            "dbz.stack",
            "dbz.targets",
        ),
    ),
    SERVERS: ("dbz.band", "dbz.cache", "dbz.children", "dbz.config", "dbz.server", "dbz.shards"),
    GENERATORS: ("dbz.load.generator",),
    CLOUDS: ("dbz.cloud",),
    STORES: (),
}
"""Packages whose modules run in such a process."""
_LIBRARIES = {
    COMMANDS: ("asyncio", "boto3", "httpx", "pymongo", "redis.asyncio", "rich.live", "rich.markdown", "rich.table"),
    SERVERS: ("asyncio", "httpx", "uvloop", "PIL.Image", "PIL.JpegImagePlugin"),
    GENERATORS: (),
    CLOUDS: ("moto.server",),
    STORES: ("secantus.cli",),
}
_MOST_BYTES = 1_000_000
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


def main() -> None:
    """Fork a process for each kind, and end when the tests do."""
    forks.install()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # dbz holds signals back while it starts a child
    handed, ends_with = json.loads(sys.argv[1]), int(sys.argv[2])
    inherit({kind: address for kind, (address, _) in handed.items()})
    for kind, (_, descriptor) in handed.items():
        if not os.fork():
            for other, (_, unwanted) in handed.items():
                if other != kind:
                    os.close(unwanted)
            Zygote(kind, socket.socket(fileno=descriptor), ends_with).serve()
    for _, descriptor in handed.values():
        os.close(descriptor)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


class Zygote:
    """Forks programs of one kind, which it imports when it is first asked for one."""

    def __init__(self, kind: str, listener: socket.socket, ends_with: int) -> None:
        self._kind = kind
        self._listener = listener
        self._ends_with = ends_with
        self._running: dict[int, socket.socket] = {}
        self._imported = False
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> NoReturn:
        """Fork for each job that comes, until the tests have ended."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake)
        while True:
            watched: list[Any] = [self._listener, self._woken, self._ends_with]
            ready, _, _ = select.select(watched, [], [])
            if self._ends_with in ready:
                os._exit(0)
            if self._woken in ready:
                os.read(self._woken, _MOST_BYTES)
                self._report_ended()
            if self._listener in ready:
                self._take(self._listener.accept()[0])

    def _take(self, asked: socket.socket) -> None:
        """Fork what is asked for."""
        if not self._imported:
            _import_all(self._kind)
            self._imported = True
        data, streams, _, _ = socket.recv_fds(asked, _MOST_BYTES, 4)
        if not data:
            asked.close()
            return
        pid = os.fork()
        if not pid:
            end_as_python(lambda: self._become(Job(**json.loads(data)), streams, asked))
        for stream in streams:
            os.close(stream)
        self._running[pid] = asked
        with contextlib.suppress(OSError):
            asked.send(str(pid).encode())

    def _report_ended(self) -> None:
        """Tell the exit codes of what has ended to those who wait for them."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                with self._running.pop(pid) as told, contextlib.suppress(OSError):
                    told.send(str(os.waitstatus_to_exitcode(status)).encode())

    def _become(self, job: Job, streams: list[int], asked: socket.socket) -> object:
        """Make this process what was asked for."""
        signal.set_wakeup_fd(-1)
        ours = [self._listener, asked, *self._running.values()]
        for descriptor in (self._woken, self._wake, self._ends_with, *(one.detach() for one in ours)):
            os.close(descriptor)
        for descriptor, stream in enumerate(streams):
            os.dup2(stream, descriptor)
            os.close(stream)
        os.chdir(job.cwd)
        os.environ.clear()
        os.environ.update(job.environment)
        tempfile.tempdir = None
        if self._kind == COMMANDS:
            warm.install()
        if job.guard is not None:
            os.setsid()
            return warm.guard_program(job.guard, job.module, job.arguments)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if job.with_parent:
            os.setsid()
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        sys.path[0] = job.cwd
        sys.argv = ["dbz" if self._kind == COMMANDS else job.module, *job.arguments]
        return importlib.import_module(job.module).main()


def run_program(module: str, arguments: list[str]) -> object:
    """Go on as `python -P -m MODULE`, in a process that a guard has just forked; returns what its `main` does."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python begins
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout.reconfigure(write_through="PYTHONUNBUFFERED" in os.environ)  # type: ignore[union-attr]
    sys.path[:] = [entry for entry in sys.path if entry not in ("", str(ROOT))]
    ctypes.CDLL(None).prctl(_PR_SET_NAME, title(module.removesuffix(".__main__")).encode(), 0, 0, 0)
    program = importlib.import_module(module)
    sys.argv = [str(program.__file__), *arguments]
    return program.main()


def end_as_python(run: Callable[[], object], *, at_once: bool = False) -> NoReturn:
    """Carry something out, and end this process as Python ends: never back in the loop of the process that forked it.

    `at_once` is the end of a generator, which waits for nothing that a scenario has left running.
    """
    try:
        sys.exit(run())  # type: ignore[arg-type]
    except SystemExit as ending:
        code = ending.code
        if code is not None and not isinstance(code, int):
            sys.stderr.write(f"{code}\n")
            code = 1
    except BaseException as error:
        traceback.print_exc()
        code = 130 if isinstance(error, KeyboardInterrupt) else 1
    if not at_once:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit((code or 0) & 0xFF)


def _import_all(kind: str) -> None:
    """Import what these programs may need, also what they import when they come to it."""
    with _unpatched(kind):
        for name in _LIBRARIES[kind]:
            importlib.import_module(name)
        for package in _PACKAGES[kind]:
            path = [str(ROOT / package.replace(".", "/"))]
            for module in pkgutil.walk_packages(path, f"{package}."):
                if kind != COMMANDS or not module.name.endswith("__main__"):
                    importlib.import_module(module.name)
    if kind == COMMANDS:
        sys.modules["dbz.cli.main"].command()
    assert threading.active_count() == 1, "a fork has the thread that forked, and the locks of all"
    gc.freeze()


_GONE = object()
_patched: list[tuple[dict[str, object], dict[str, object]]] = []
"""Modules whose names gevent has replaced, with what it has put there."""


@contextlib.contextmanager
def _unpatched(kind: str) -> Iterator[None]:
    """Take gevent's patches out of the modules with which this process and guards wait and fork."""
    if kind != GENERATORS:
        yield
        return
    from dbz.load.generator.patching import patch_standard_library

    patch_standard_library()
    yield
    from gevent import monkey

    for module in (os, select, signal, socket, sys.modules["time"]):
        names, originals = vars(module), monkey.saved[module.__name__]
        _patched.append((names, {name: names.get(name, _GONE) for name in originals}))
        names.update(originals)


def patch_again() -> bool:
    """Put gevent's patches back, in a fork that is to be a generator; returns whether it is to be one."""
    for names, replaced in _patched:
        names.update(replaced)
        for name in [name for name, value in replaced.items() if value is _GONE]:
            del names[name]
    if _patched:
        sys.modules["gevent"].reinit()
    return bool(_patched)


if __name__ == "__main__":
    importlib.import_module("tests.children.zygote").main()  # under the name by which forks know it
