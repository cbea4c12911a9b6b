"""Waits of greenlets with a deadline, on gevent's event loop.

Waiting goes straight to the hub's primitive with a deadline that a sweep enforces: a timer for each read would cost
more than the read.
"""

from __future__ import annotations

import time
from typing import Any

import gevent
from gevent.hub import get_hub

from dbz.load.generator.net.faults import ReadTimeout

_SWEEP_S = 0.1
_turns = 0


class TimedWait:
    """Something that a greenlet waits for until a deadline, which the sweep enforces."""

    __slots__ = ("_until_s", "_waiting")

    def __init__(self) -> None:
        self._waiting: Any = None
        self._until_s = 0.0

    def wait(self, deadline_s: float) -> Any:
        """Give way to others until somebody switches here with a value, which is returned; `ReadTimeout` when too late.

        Whoever switches here must be called by the event loop.
        """
        watched.add(self)
        try:
            return self._give_way(deadline_s)
        finally:
            watched.discard(self)

    def _give_way(self, until_s: float) -> Any:
        # Straight to the hub instead of `hub.wait`: that makes a waiter and starts and stops the watcher each time.
        # The price is that whoever switches here must be called by the event loop, and nobody else.
        global _turns
        self._until_s, self._waiting = until_s, gevent.getcurrent()
        _turns += 1
        try:
            return get_hub().switch()
        finally:
            self._waiting = None

    def expire(self, now_s: float) -> None:
        """Wake who waits when the time is over; called by the event loop."""
        if self._waiting is not None and self._until_s < now_s:
            self._waiting.throw(ReadTimeout())


watched: set[TimedWait] = set()
"""Who may be waiting: connections for as long as they are open."""


def turns() -> int:
    """How often a greenlet of this process has given way to others by waiting here.

    Whoever finds it changed has given way: the others could not have had their turns else.
    """
    return _turns


def sweep_deadlines() -> None:
    """Wake those whose deadline has passed, forever; one greenlet of each generator process runs this."""
    loop = get_hub().loop
    while True:
        gevent.sleep(_SWEEP_S)
        now_s = time.monotonic()
        for connection in [each for each in watched if each._waiting is not None and each._until_s < now_s]:
            # From the event loop: a reader that was woken by this greenlet would never give control back to it.
            loop.run_callback(connection.expire, now_s)
