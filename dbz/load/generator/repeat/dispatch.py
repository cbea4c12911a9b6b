"""The arrivals of an open load, given to lanes that are free; one timer for all of them."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any

from gevent.hub import get_hub

from dbz.load.generator.pace.arrivals import Arrivals
from dbz.load.generator.pace.lateness import Punctuality
from dbz.load.generator.record.tally import RequestTally
from dbz.load.generator.repeat.lane import RUNNING, WAITING, Lane

_NEVER_LATE_S = 1e-9
"""A paced request is always later than it should be, be it by so little: that is how the record knows it as paced."""


class Dispatch:
    """Whoever is free takes the next arrival, and begins when it is due."""

    def __init__(self, arrivals: Arrivals, punctuality: Punctuality) -> None:
        self._arrivals = arrivals
        self._punctuality = punctuality
        self._due: deque[tuple[float, PacedLane]] = deque()
        self._timer: Any = None

    def take(self, lane: PacedLane, now_s: float) -> None:
        """Let a lane begin at the next arrival, and those whose arrivals are due now."""
        due_s = self._arrivals.next_start_s(None)
        if not math.isinf(due_s):
            self._due.append((due_s, lane))
        self.run(now_s)

    def run(self, now_s: float) -> None:
        """Let those begin whose arrivals are due."""
        due = self._due
        while due and due[0][0] <= now_s:
            due_s, lane = due.popleft()
            if lane.is_waiting:
                lateness_s = max(now_s - due_s, _NEVER_LATE_S)
                self._punctuality.note(lateness_s)
                lane.begin(now_s, lateness_s)
                now_s = time.monotonic()
        if due and self._timer is None:
            self._timer = get_hub().loop.timer(max(due[0][0] - now_s, 0.0))
            self._timer.start(self._on_time, update=True)

    def _on_time(self) -> None:
        self._timer.close()
        self._timer = None
        self.run(time.monotonic())


class PacedLane(Lane):
    """A lane that sends each request at an arrival."""

    __slots__ = ("_dispatch",)

    def __init__(self, user: Any, tally: RequestTally, dispatch: Dispatch) -> None:
        super().__init__(user, tally)
        self._dispatch = dispatch

    @property
    def is_waiting(self) -> bool:
        """Whether its user still waits for an arrival."""
        return self._waiting is not None

    def begin(self, now_s: float, lateness_s: float) -> None:
        """The arrival is due; called by the event loop."""
        self.lateness_s = lateness_s
        self._user._state = RUNNING
        if self._connection.unasked:
            self._leave(None)
        else:
            self._ask(now_s)

    def _on_answer(self, now_s: float) -> None:
        tally = self._tally
        elapsed_s = now_s - self.started_s
        tally.elapsed_s += elapsed_s
        counts, value_us = tally.service, int(elapsed_s * 1e6)
        counts[value_us] = counts.get(value_us, 0) + 1
        counts, value_us = tally.successes, int((elapsed_s + self.lateness_s) * 1e6)
        counts[value_us] = counts.get(value_us, 0) + 1
        self._next(now_s)

    def _next(self, now_s: float) -> None:
        self._rest()
        if self._user._state != RUNNING:
            self._leave(None)
            return
        self._user._state = WAITING
        self._dispatch.take(self, now_s)
