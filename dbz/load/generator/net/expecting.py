"""A message that one greenlet waits for: it is woken by the event loop, at the moment when the message is read.

gevent's `AsyncResult` and `Timeout` would cost more than all else of a message: a timer of the event loop for each, and
a turn of the loop between the arrival and the wake-up, which would count as the server's time.
"""

from __future__ import annotations

import time
from typing import Any

from gevent.hub import get_hub

from dbz.load.generator.net.faults import ReadTimeout, TransportError
from dbz.load.generator.net.waiting import TimedWait


class NotInTimeError(ReadTimeout):
    """What was waited for has not come by its deadline, though nothing is known to be wrong with the connection."""


class Expected(TimedWait):
    """A message that is waited for.

    `wait` returns it, or raises `NotInTimeError` when it is late, or the error that `fail` was told.
    """

    __slots__ = ("arrived_s",)

    def __init__(self) -> None:
        super().__init__()
        self.arrived_s = 0.0
        """When it came, by the monotonic clock."""

    def give(self, message: Any) -> None:
        """It has come; who waits goes on at once. Called by the event loop."""
        self.arrived_s = time.monotonic()
        if self._waiting is not None:
            self._waiting.switch(message)

    def fail(self, error: TransportError) -> None:
        """It will not come. May be called by any greenlet, so who waits goes on when the event loop has its turn."""
        get_hub().loop.run_callback(self._throw, error)

    def expire(self, now_s: float) -> None:
        """Wake who waits when the time is over; called by the event loop."""
        if self._until_s < now_s:
            self._throw(NotInTimeError())

    def _throw(self, error: TransportError) -> None:
        if self._waiting is not None:
            self._waiting.throw(error)
