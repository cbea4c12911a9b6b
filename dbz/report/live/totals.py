"""What a running load has counted so far, for those who watch it from outside: counters that only grow."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from dbz.measure.budget.budgets import Budget
from dbz.measure.budget.verdicts import Verdict
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import OPERATION_KINDS
from dbz.report.live.figures import LiveFigures
from dbz.runs.storage.reading import Record

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Upper bounds of the latency buckets; one more holds what is longer."""
BUDGET_GAUGES = {
    "value": "Measured so far; milliseconds, shares or bytes",
    "limit": "The limit, in the same unit",
    "broken": "1 when the run would fail because of it",
}


@dataclass
class Spread:
    """Latencies in seconds: how many fall into each bucket of `BOUNDS_S`, their sum, the lowest and the highest."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0
    low_s: float = float("inf")
    high_s: float = 0.0

    def add(self, histogram: Histogram) -> None:
        """Take in the values of a histogram that holds some."""
        for low, high, count in histogram.buckets():
            self.counts[bisect_left(BOUNDS_S, high / 1e6)] += count
            self.sum_s += (low + high) / 2e6 * count
        self.low_s = min(self.low_s, histogram.min_us / 1e6)
        self.high_s = max(self.high_s, histogram.max_us / 1e6)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.counts)


def budget_values(verdict: Verdict) -> tuple[float, float, float] | None:
    """The gauges of `BUDGET_GAUGES` for a budget; None while there is nothing to show of it."""
    limit = verdict.budget.limit.value
    return None if verdict.value is None or math.isnan(limit) else (verdict.value, limit, float(verdict.breaks_run))


class RunTotals:
    """Follows a record over the whole run. Readers hold `lock`, because they come from another thread.

    `counts` are attempts by kind, operation and outcome (`ok`, `failed`); `spreads` the latencies of successes by kind
    and operation; `figures` everything that a live view shows.
    """

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self.lock = threading.Lock()
        self.figures = LiveFigures(budgets)
        self.counts: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.spreads: defaultdict[tuple[str, str], Spread] = defaultdict(Spread)
        self._seen = 0

    def update(self, record: Record) -> None:
        """Take in what was added to the record since the last call."""
        with self.lock:
            self.figures.update(record)
            new = record.since("intervals", record.intervals, self._seen)
            self._seen = record.count("intervals", record.intervals)
            for interval in new:
                series = interval.series
                if series.kind not in OPERATION_KINDS or not interval.histogram:
                    continue
                # Both outcomes from the start: a share of failures is then zero, and not unknown, until the first one.
                for outcome in ("ok", "failed"):
                    found = len(interval.histogram) if (outcome == "failed") is series.failed else 0
                    self.counts[series.kind, series.name, outcome] += found
                if not series.failed:
                    self.spreads[series.kind, series.name].add(interval.histogram)
