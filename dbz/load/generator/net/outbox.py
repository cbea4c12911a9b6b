"""Messages of greenlets that wait for the answers, sent together when all who are ready have had their turn.

One by one, each message would wake its server, which has answered and gone to sleep before the next one is written;
and the event loop would ask the system after every answer or two. Together they cost both sides less, and the server
gets what it would get from as many clients: requests that do not wait for each other.
"""

from __future__ import annotations

from typing import Protocol

from gevent.hub import get_hub

_MOST = 16
"""So many messages wait at most: what one user asked for is not to be late because a thousand others ask as well."""


class Departure(Protocol):
    """A message that is to be sent."""

    def depart(self) -> None:
        """Send it; must neither give way nor raise."""


_waiting: list[Departure] = []


def put(departure: Departure) -> None:
    """Let somebody send before the event loop waits; who calls gives way next."""
    if not _waiting:
        get_hub().loop.run_callback(empty)
    elif len(_waiting) >= _MOST:
        empty()
    _waiting.append(departure)


def empty() -> None:
    """Send what there is."""
    for departure in _waiting:
        departure.depart()
    _waiting.clear()
