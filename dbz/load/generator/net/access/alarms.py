"""Calls at moments of the monotonic clock, with one timer of the event loop for all connections of a process."""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from gevent.hub import get_hub

from dbz.load.generator.net.access.passage import EARLY_S


class Alarms:
    """Those that are due at the same time are called in one go; none can be taken back."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()
        self._timer: Any = None
        self._timer_s = math.inf

    def at(self, due_s: float, call: Callable[[float], None]) -> None:
        """Call, on the event loop, when the moment has come, with the time until which everything counts as due."""
        heapq.heappush(self._due, (due_s, next(self._numbers), call))
        if due_s < self._timer_s:
            self._set_timer(due_s)

    def _ring(self) -> None:
        due, until_s = self._due, time.monotonic() + EARLY_S
        self._timer_s = -math.inf  # whoever is called may set alarms: the timer is set once, at the end
        try:
            while due and due[0][0] <= until_s:
                heapq.heappop(due)[2](until_s)
        finally:
            self._timer_s = math.inf
            if due:
                self._set_timer(due[0][0])

    def _set_timer(self, due_s: float) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
        self._timer_s = due_s
        self._timer = self._loop.timer(max(due_s - time.monotonic(), 0.0))
        self._timer.start(self._ring, update=True)


@cache
def _alarms_of(loop: Any) -> Alarms:
    return Alarms(loop)


def alarms() -> Alarms:
    """Those of this thread's event loop."""
    return _alarms_of(get_hub().loop)
