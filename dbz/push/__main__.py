"""`python -m dbz.push`: the stand-in of APNs and FCM in the foreground, on loopback."""

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
        prog="python -m dbz.push", description="A stand-in of APNs and FCM, on loopback; its data end with it."
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes any free one")
    parser.add_argument("--topic", default="com.example.dbz", help="the app that APNs delivers to (its bundle id)")
    parser.add_argument("--project", default="dbz-demo", help="the project at FCM")
    return parser.parse_args(argv)


def application(given: argparse.Namespace, url: str) -> Starlette:
    """The stand-in as an ASGI application that answers at `url`."""
    from starlette.applications import Starlette

    from dbz.push.apns import ApnsStandIn
    from dbz.push.control import PushControl
    from dbz.push.fcm import FcmStandIn
    from dbz.push.keys import Keys
    from dbz.push.ledger import PushLedger

    ledger, keys = PushLedger(), Keys(url, given.topic, given.project)
    apns, fcm, control = ApnsStandIn(ledger, keys), FcmStandIn(ledger, keys), PushControl(ledger, keys)
    return Starlette(routes=[*apns.routes(), *fcm.routes(), *control.routes()])


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    given = parse(argv)
    return serve_stand_in("push providers", given.port, lambda url: application(given, url))


if __name__ == "__main__":
    sys.exit(main())
