"""What a running load has counted so far, for those who watch it from outside: counters that only grow."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from dbz.measure.budgets import Budget
from dbz.measure.series import COMPOSITE, REQUEST_KINDS
from dbz.report.live_figures import LiveFigures
from dbz.runs.reading import Record

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Upper bounds of the latency buckets; one more holds what is longer."""
_KINDS = frozenset((*REQUEST_KINDS, COMPOSITE))


class Totals:
    """Follows a record over the whole run. Readers hold `lock`, because they come from another thread.

    `counts` are attempts by kind, operation and outcome (`ok`, `failed`); `buckets` and `sums_s` the latencies of
    successes by kind and operation; `figures` everything that a live view shows.
    """

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self.lock = threading.Lock()
        self.figures = LiveFigures(budgets)
        self.counts: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.buckets: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * (len(BOUNDS_S) + 1))
        self.sums_s: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._seen = 0

    def update(self, record: Record) -> None:
        """Take in what was added to the record since the last call."""
        with self.lock:
            self.figures.update(record)
            new, self._seen = record.intervals[self._seen :], len(record.intervals)
            for interval in new:
                series = interval.series
                if series.kind not in _KINDS:
                    continue
                outcome = "failed" if series.failed else "ok"
                self.counts[series.kind, series.name, outcome] += len(interval.histogram)
                if not series.failed:
                    buckets = self.buckets[series.kind, series.name]
                    for low, high, count in interval.histogram.buckets():
                        buckets[bisect_left(BOUNDS_S, high / 1e6)] += count
                        self.sums_s[series.kind, series.name] += (low + high) / 2e6 * count
