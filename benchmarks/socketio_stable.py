"""Thousands of connected members in one process of dbz: how long connecting takes, and whether they all stay."""

# ruff: noqa: I001 the standard library is patched before anything else is imported
from __future__ import annotations

from socketio_dbz import CONNECTING, EVENT, TEXT, Members

import json
import sys
import tempfile
import time
from pathlib import Path

import gevent
from gevent.pool import Pool

from dbz.load.generator import wire


def main(url: str, count: int, seconds: float) -> None:
    """Connect, speak to all once a second, and print the figures as JSON."""
    gevent.spawn(wire.sweep_deadlines)
    with tempfile.TemporaryDirectory() as folder:
        members = Members(Path(folder))
        began_s = time.monotonic()
        joined = list(Pool(CONNECTING).imap(lambda number: members.join(url, number), range(count)))
        connect_s = time.monotonic() - began_s
        for number in range(int(seconds)):
            members.announce(str(number), number)
            joined[number].say({"id": str(number), "text": TEXT})
            gevent.sleep(1)
        members.deliveries.expire()
        sent, expected, delivered, *_ = members.deliveries.take_counts()[EVENT]
        connected = sum(client.connected for client in members.clients)
        errors = sum(members.recorder._errors.values())
        figures = {"connect_s": connect_s, "connected": connected, "errors": errors, "sent": sent}
        print(json.dumps({**figures, "expected": expected, "delivered": delivered}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
