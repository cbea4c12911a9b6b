"""Latency of attempts of which some failed.

A failed attempt never improves a latency figure. In a percentile it counts as slower than every success: with 6 % of
failures the p95 is infinite, because 95 % of the attempts were not answered in any time. In a mean it counts with its
own duration or the mean of the successes, whichever is longer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from dbz.measure.histogram import Histogram, merged, rank_of


@dataclass(frozen=True)
class Latency:
    """Durations of successes and of failures, apart; all results are in milliseconds."""

    ok: Histogram = field(default_factory=Histogram)
    failed: Histogram = field(default_factory=Histogram)

    @property
    def count(self) -> int:
        """All attempts."""
        return len(self.ok) + len(self.failed)

    @property
    def errors(self) -> int:
        """Failed attempts."""
        return len(self.failed)

    @property
    def error_rate(self) -> float:
        """Failed attempts as a share of all; 0 when there were none."""
        return self.errors / self.count if self.count else 0.0

    def percentile_ms(self, percent: float) -> float:
        """The percentile over all attempts; infinite where it falls on a failed one; 0 when empty."""
        if not self.count:
            return 0.0
        rank = rank_of(percent, self.count)
        return math.inf if rank > len(self.ok) else self.ok.value_at_rank(rank) / 1000

    def mean_ms(self) -> float:
        """The mean over all attempts, failures taken as at least the mean of the successes; 0 when empty."""
        if not self.count:
            return 0.0
        floor_us = self.ok.mean_us()
        slow_us = sum(max((low + high) / 2, floor_us) * count for low, high, count in self.failed.buckets())
        return (self.ok.total_us() + slow_us) / self.count / 1000

    @property
    def max_ms(self) -> float:
        """The longest attempt, failed ones included, as it was measured."""
        return max(self.ok.max_us, self.failed.max_us) / 1000


def combined(latencies: Iterable[Latency]) -> Latency:
    """All attempts of several latencies as one."""
    every = list(latencies)
    return Latency(merged(one.ok for one in every), merged(one.failed for one in every))
