"""The arrivals of an open load in one process: by rate, or as they were recorded."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent

from dbz.config.load.arrivals import recorded_arrivals
from dbz.load.spec import GeneratorSpec
from dbz.runs.storage.record import STEADY

_AFTER_MARK_S = 0.2
"""Recorded arrivals begin so long after the mark of the judged part, for which is looked as often."""


class Arrivals:
    """The arrivals of one worker: each is taken by the user that is free first."""

    def __init__(self, schedule: Iterator[float]) -> None:
        self._schedule = schedule
        self._origin_s = time.monotonic()
        self._end_s = math.inf

    def begin(self) -> None:
        """The first arrivals are due now."""
        self._origin_s = time.monotonic()
        self._end_s = math.inf

    def end(self) -> None:
        """The load ends now: what would be due while users stop is none of its arrivals."""
        self._end_s = time.monotonic()

    def next_start_s(self, user: Any) -> float:  # noqa: ARG002 whoever is free
        """Take the next arrival."""
        return self._origin_s + next(self._schedule, float("inf"))

    def not_begun(self) -> int:
        """Arrivals that are due by now, or by the load's end, and that no user was free to take; they are gone then."""
        until_s = min(time.monotonic(), self._end_s)
        count = 0
        while self.next_start_s(None) < until_s:
            count += 1
        return count


class RecordedArrivals(Arrivals):
    """Arrivals at recorded moments; `user.arrival` is what was recorded of the one that a user takes.

    They begin with the judged part, however long users take to start, so that all of them are judged.
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__(iter(()))
        self._marks = Path(spec.folder) / "marks.jsonl"
        self._started_s = spec.started_monotonic_s
        self._first_s = math.inf
        self._speed = spec.speed
        self._rows = recorded_arrivals(spec.arrivals, spec.worker, spec.workers)

    def begin(self) -> None:
        """They are due once the judged part has begun."""

    def next_start_s(self, user: Any) -> float:
        """Take the next arrival; waits for the judged part first, unless there is no user to wait."""
        while math.isinf(self._first_s):
            self._look_for_mark()
            if user is None:
                return math.inf
            gevent.sleep(_AFTER_MARK_S)
        at_s, row = next(self._rows, (math.inf, None))
        if user is not None:
            user.arrival = row
        return self._first_s + at_s / self._speed

    def _look_for_mark(self) -> None:
        """Whoever steers the run, in this process or another one, notes when the judged part begins."""
        complete = self._marks.read_bytes().rpartition(b"\n")[0] if self._marks.exists() else b""
        for mark in map(json.loads, complete.splitlines()):
            if mark["mark"] == STEADY:
                self._first_s = self._started_s + mark["t"] + _AFTER_MARK_S
