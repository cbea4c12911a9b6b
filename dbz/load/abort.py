"""Stopping a run that has been breaking a budget for too long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from dbz.measure.budget.budgets import Budget
from dbz.measure.budget.verdicts import Verdict, judge
from dbz.runs.aggregate import measurements
from dbz.runs.schema import Window
from dbz.runs.storage.reading import Record
from dbz.runs.storage.record import STEADY
from dbz.units import format_duration

LOOK_BACK_S = 5.0
"""Over how many seconds a budget without a window is judged each second."""


class AbortWatch:
    """Follows a growing record and says when a budget with `abort_after` has been broken for that long.

    Each second of the judged part, the last stretch of the budget's window (or of `LOOK_BACK_S`) is judged by its
    value. A stretch in which nothing was measured does not end a breach: a server that has stopped answering is no
    better.
    """

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self._budgets = [one for one in budgets if one.abort_after_s and one.limit.known]
        self._broken_since_s: dict[str, float] = {}
        self._judged_s = 0.0
        self._passed = 0
        self.looks_back_s = max(
            (one.windows.length_s if one.windows else LOOK_BACK_S for one in self._budgets), default=0.0
        )
        """How much of the record before the newest second is looked at."""

    def update(self, record: Record) -> str:
        """Why the run must stop, in one sentence; empty while it may go on."""
        now_s = float(math.floor(min((lines[-1]["t"] for lines in record.workers.values() if lines), default=0.0)))
        if not self._budgets or STEADY not in record.marks or now_s <= self._judged_s:
            return ""
        self._judged_s = now_s
        for budget in self._budgets:
            reason = self._look(budget, record, now_s)
            if reason:
                return reason
        self._forget(record, now_s)
        return ""

    def _look(self, budget: Budget, record: Record, now_s: float) -> str:
        length_s = budget.windows.length_s if budget.windows else LOOK_BACK_S
        if now_s - length_s < record.marks[STEADY] + budget.after_s:
            return ""
        recent = replace(record, intervals=list(record.since("intervals", record.intervals, self._passed)))
        found = measurements(recent, Window(start_s=now_s - length_s, end_s=now_s))
        (verdict,) = judge([budget], found)
        if verdict.value is None:
            pass
        elif budget.limit.holds(verdict.value):
            self._broken_since_s.pop(budget.name, None)
        else:
            self._broken_since_s.setdefault(budget.name, now_s)
        broken_s = now_s - self._broken_since_s.get(budget.name, now_s)
        return _reason(verdict, broken_s) if broken_s >= budget.abort_after_s else ""

    def _forget(self, record: Record, now_s: float) -> None:
        """Step over intervals that no window reaches back to; those of slow workers come at most some seconds late."""
        self._passed = max(self._passed, record.forgotten["intervals"])
        for interval in record.since("intervals", record.intervals, self._passed):
            if interval.start_s >= now_s - self.looks_back_s - 2 * LOOK_BACK_S:
                return
            self._passed += 1


def _reason(verdict: Verdict, broken_s: float) -> str:
    return f"stopped early, broken for {format_duration(broken_s)} on end: {verdict.sentence}"
