"""How fast the allowance of an objective is used up, from counts by the minute."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable

MINUTE_S = 60.0
_TRIM_BEYOND = 2000
"""So many minutes too old are kept before they are dropped all at once."""


class MinuteCounts:
    """Bad events and all events of each minute, and their sums since any of them.

    A sum is a difference of two running totals: one search for each question, however long the window.
    """

    def __init__(self, longest_s: float, minutes: Iterable[tuple[int, float, float]] = ()) -> None:
        self._longest = int(longest_s // MINUTE_S)
        self._minutes, self._bad, self._total = array("q"), array("d"), array("d")
        for minute, bad, total in minutes:
            self.add(minute, bad, total)

    def add(self, minute: int, bad: float, total: float) -> None:
        """Count events of a minute, which is never before the last one."""
        if not self._minutes or self._minutes[-1] != minute:
            self._trim(minute)
            self._minutes.append(minute)
            self._bad.append(self._bad[-1] if self._bad else 0.0)
            self._total.append(self._total[-1] if self._total else 0.0)
        self._bad[-1] += bad
        self._total[-1] += total

    def last(self) -> tuple[int, float, float] | None:
        """The newest minute with its own counts; None before the first."""
        if not self._minutes:
            return None
        bad, total = self.after(self._minutes[-1] - 1)
        return self._minutes[-1], bad, total

    def after(self, minute: int) -> tuple[float, float]:
        """Bad events and all events after a minute."""
        if not self._minutes:
            return 0.0, 0.0
        begin = bisect_right(self._minutes, minute)
        before = (self._bad[begin - 1], self._total[begin - 1]) if begin else (0.0, 0.0)
        return self._bad[-1] - before[0], self._total[-1] - before[1]

    def covered(self, minute: int) -> int:
        """For how many minutes, up to and with this one, something has been counted."""
        return minute - self._minutes[0] + 1 if self._minutes else 0

    def _trim(self, minute: int) -> None:
        old = bisect_right(self._minutes, minute - self._longest)
        if old > _TRIM_BEYOND:
            # The last one that is too old stays: the running totals of all others are above its own.
            for column in (self._minutes, self._bad, self._total):
                del column[: old - 1]
