"""Stand-ins of outside services: programs of their own in the foreground, on loopback only."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from dbz.children import free_port
from dbz.errors import DbzError, DependencyError, UsageError
from dbz.extras import SERVER, need

if TYPE_CHECKING:
    from starlette.applications import Starlette

_HOST = "127.0.0.1"


def serve_stand_in(of: str, port: int, make: Callable[[str], Starlette]) -> int:
    """Serve what `make` gives for the URL until SIGTERM or SIGINT, and return the exit code; port 0 is any free one.

    The URL is printed once it is known. HTTP/1.1 and HTTP/2 without TLS are both answered.
    """
    try:
        need(f"the stand-in of {of}", {name: SERVER[name] for name in ("granian", "starlette")}, "embedded")
        asyncio.run(_serve(port, make))
    except DbzError as error:
        sys.stderr.write(f"error: {error.message}\n{error.hint}\n")
        return int(error.exit_code)
    return 0


async def _serve(wanted: int, make: Callable[[str], Starlette]) -> None:
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server.embed import Server

    port = wanted or free_port()
    _check(port)
    url = f"http://{_HOST}:{port}"
    server = Server(make(url), _HOST, port, interface=Interfaces.ASGINL, websockets=False, log_level=LogLevels.error)
    serving = asyncio.ensure_future(server.serve())
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, server.stop)
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    await serving


def _check(port: int) -> None:
    """`DependencyError` when somebody listens there, `UsageError` when there is no such port."""
    if not 1 <= port <= 65535:
        raise UsageError(f"port is {port}, but must be from 1 to 65535, or 0 for any free one", code="E002")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            hint = "choose another with --port, or 0 for any free one"
            raise DependencyError(
                f"cannot listen on {_HOST}:{port}: {error.strerror}", hint=hint, code="E017"
            ) from None
