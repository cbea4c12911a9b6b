"""`python -m dbz.band`: the stand-in of Band in the foreground, on loopback."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbz.standin import serve_stand_in

if TYPE_CHECKING:
    from starlette.applications import Starlette


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


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    given = parse(argv)
    return serve_stand_in("Band", given.port, lambda _url: application(given))


if __name__ == "__main__":
    sys.exit(main())
