"""`python -m dbz.band`: the stand-in of Band in the foreground, on loopback."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbz.children import free_port
from dbz.errors import DbzError, DependencyError, UsageError
from dbz.extras import SERVER, need

if TYPE_CHECKING:
    from starlette.applications import Starlette

_HOST = "127.0.0.1"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m dbz.band", description="A stand-in of the Band API, on loopback; its data end with it."
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes any free one")
    parser.add_argument("--seed", type=int, default=1, help="what the data are made from")
    parser.add_argument("--bands", type=int, default=3, choices=range(1, 101), metavar="1..100")
    parser.add_argument("--members", type=int, default=200, help="of each band")
    parser.add_argument("--photos", type=int, default=60, help="of each band")
    parser.add_argument("--rate", type=int, default=100, help="calls with one token in a window")
    parser.add_argument("--window", type=float, default=10.0, metavar="SECONDS", help="that window")
    parser.add_argument("--access-ttl", type=float, default=3600.0, metavar="SECONDS", help="of access tokens")
    parser.add_argument("--client-id", default="dbz-demo")
    parser.add_argument("--client-secret", default="band-demo-secret")
    parser.add_argument(
        "--redirect", action="append", default=[], metavar="URL", help="where answers may go; without it this machine"
    )
    return parser.parse_args(argv)


def application(given: argparse.Namespace) -> Starlette:
    """The stand-in as an ASGI application."""
    from starlette.applications import Starlette

    from dbz.band.api import Api
    from dbz.band.community import Community, Size
    from dbz.band.control import StandInControl
    from dbz.band.faults import CallRate, StandInFaults
    from dbz.band.grants import Client, Grants
    from dbz.band.oauth import OAuth

    community = Community(given.seed, Size(given.bands, given.members, given.photos))
    client = Client(given.client_id, given.client_secret, tuple(given.redirect))
    shared = Grants(client, given.access_ttl), community, CallRate(given.rate, given.window), StandInFaults()
    routes = [*OAuth(shared[0], community).routes(), *Api(*shared).routes(), *StandInControl(*shared).routes()]
    return Starlette(routes=routes)


async def _serve(given: argparse.Namespace) -> None:
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server.embed import Server

    port = given.port or free_port()
    _check(port)
    server = Server(
        application(given), _HOST, port, interface=Interfaces.ASGINL, websockets=False, log_level=LogLevels.error
    )
    serving = asyncio.ensure_future(server.serve())
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, server.stop)
    sys.stdout.write(f"http://{_HOST}:{port}\n")
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


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    given = parse(argv)
    try:
        need("the stand-in of Band", {name: SERVER[name] for name in ("granian", "starlette")}, "embedded")
        asyncio.run(_serve(given))
    except DbzError as error:
        sys.stderr.write(f"error: {error.message}\n{error.hint}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
