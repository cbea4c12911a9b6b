"""The processes of one server: a supervisor that owns the port, and workers that end when it does."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import secrets
import signal
import threading
import time

from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server

from dbz.server.settings import Settings

_PR_SET_PDEATHSIG = 1
_POLL_S = 1.0
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


def server_family() -> str:
    """A name that all workers of one supervisor share and no other server has."""
    return f"{os.uname().nodename}:{os.getppid()}"


def with_secret(settings: Settings) -> Settings:
    """Settings with a signing secret: without JWT_SECRET a random one, which other servers do not know."""
    if settings.jwt_secret:
        return settings
    _log.warning("JWT_SECRET is not set: tokens of this server end with it and are not valid elsewhere")
    return settings.model_copy(update={"jwt_secret": secrets.token_hex(32)})


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    from dbz.server.app import Application

    http = settings.http
    server = Server(
        "dbz.server.app",
        address=http.host,
        port=http.port,
        interface=Interfaces.ASGI,
        workers=http.processes,
        loop=Loops.uvloop,
        websockets=True,
        log_enabled=True,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        respawn_interval=0.0,
        workers_kill_timeout=max(1, int(http.drain_s) + 3),
        backpressure=8192,
        backlog=2048,
    )
    server.serve(target_loader=lambda *_: Application(settings), wrap_loader=False)
