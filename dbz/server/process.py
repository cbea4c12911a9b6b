"""The processes of one server: a supervisor that owns the port, and workers that end when it does."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing
import os
import secrets
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.synchronize import Semaphore
from typing import Any

from granian.constants import Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from dbz.children import raise_open_files
from dbz.errors import DependencyError
from dbz.server.settings import Settings

DRAIN_SIGNAL = signal.SIGUSR1

_PR_SET_PDEATHSIG = 1
# The root logger's handler writes these too, as JSON.
_GRANIAN_LOGS = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"_granian": {"handlers": [], "propagate": True}, "granian.access": {"handlers": [], "propagate": True}},
}
_POLL_S = 1.0
_CRASHES, _CRASHES_WITHIN_S = 10, 30.0
"""As many ends of workers within this time are a crash loop, and end the server."""
_OWN_FILES = 512  # of each process: stores, logs, other workers
_BUFFER_BYTES = 64 * 1024  # of each connection; thousands of sockets are open at a time
_log = logging.getLogger(__name__)


def follow_parent() -> None:
    """End this process at once when its parent ends, even by kill -9."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):  # Linux only; the poll below works everywhere
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="follow-parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    os._exit(1)


class Supervisor(Server):  # type: ignore[misc]
    """Owns the port, keeps the workers running, and drains them before it ends them.

    The ASGI server finishes HTTP requests by itself but cuts WebSockets off; hence a signal to each worker first, on
    which it tells its sockets to connect again elsewhere, and a semaphore by which it says that it has.
    """

    def __init__(self, settings: Settings, drained: Semaphore) -> None:
        http = settings.http
        self._drain_s = http.drain_s
        self._ended_s: deque[float] = deque(maxlen=_CRASHES)
        self._drained = drained
        super().__init__(
            "dbz.server.app",
            address=http.host,
            port=http.port,
            interface=Interfaces.ASGI,
            workers=http.processes,
            loop=Loops.uvloop,
            log_level=LogLevels.warning,
            log_dictconfig=_GRANIAN_LOGS,
            respawn_failed_workers=True,
            respawn_interval=0.0,
            workers_kill_timeout=max(1, int(http.drain_s) + 3),
            # Beyond it a connection is left waiting unanswered, however idle the others are: phones keep several each.
            backpressure=connection_places(),
            websockets=False,  # see dbz/server/realtime/takeover.py
            http1_settings=HTTP1Settings(max_buffer_size=_BUFFER_BYTES),
            backlog=2048,
        )

    def _respawn_workers(self, workers: list[int], *arguments: Any, **options: Any) -> None:
        """Put new workers in the place of some that ended, however often it is the same one.

        The library takes a second end within seconds for a crash loop and gives up. Only many ends in a short time are:
        until then its memory of the last ones is cleared.
        """
        super()._respawn_workers(workers, *arguments, **options)
        self._ended_s.append(time.monotonic())
        if len(self._ended_s) < _CRASHES or self._ended_s[-1] - self._ended_s[0] > _CRASHES_WITHIN_S:
            self.respawned_wrks.clear()

    def _stop_workers(self) -> None:
        deadline = time.monotonic() + self._drain_s
        for worker in self.wrks:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.inner.pid, DRAIN_SIGNAL)
        for _ in self.wrks:
            self._drained.acquire(timeout=max(0.0, deadline - time.monotonic()))
        super()._stop_workers()


def connection_places() -> int:
    """How many WebSockets a process may hold, and as many connections of HTTP: half of the files that it may open."""
    return max((raise_open_files() - _OWN_FILES) // 2, _OWN_FILES)


def server_family(group: str) -> str:
    """The group's name, or one that all workers of one supervisor share and no other server has."""
    return group or f"{os.uname().nodename}:{os.getppid()}"


def with_secret(settings: Settings) -> Settings:
    """Settings with a signing secret: without JWT_SECRET a random one, which other servers do not know."""
    if settings.jwt_secret:
        return settings
    if settings.mesh.service not in ("", "auth", "gateway"):
        return settings  # it neither reads nor writes tokens
    _log.warning("JWT_SECRET is not set: tokens of this server end with it and are not valid elsewhere")
    return settings.model_copy(update={"jwt_secret": secrets.token_hex(32)})


def check_port(host: str, port: int) -> None:
    """Raise `DependencyError` when somebody listens there: sharing the port would mix two servers' answers."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            hint = "choose another with --port, or end what listens there"
            raise DependencyError(f"cannot listen on {host}:{port}: {error.strerror}", hint=hint, code="E017") from None


def serve(settings: Settings, application: Callable[[Settings, Semaphore], Any]) -> None:
    """Serve until SIGTERM or SIGINT; each worker makes its ASGI `application` from the settings."""
    if not settings.http.group:
        check_port(settings.http.host, settings.http.port)
    # A worker that is still starting must not die of the signal: ignored here, it is ignored in every child.
    signal.signal(DRAIN_SIGNAL, signal.SIG_IGN)
    # Workers inherit the port and what is imported by now. Python 3.14, and any Python on macOS, would start them anew.
    multiprocessing.set_start_method("fork", force=True)
    drained = multiprocessing.Semaphore(0)
    supervisor = Supervisor(settings, drained)
    supervisor.serve(target_loader=lambda *_: application(settings, drained), wrap_loader=False)
