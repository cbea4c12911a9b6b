"""Durations that a server counted in fixed buckets (a Prometheus histogram), added up and read as percentiles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Buckets:
    """Counts by upper bound in seconds (not cumulative), the sum of all durations, and how many."""

    counts: dict[float, float] = field(default_factory=dict)
    sum_s: float = 0.0

    def add(self, counts: Mapping[float, float], sum_s: float) -> None:
        """Add counts by upper bound in seconds and the seconds they took."""
        for bound, count in counts.items():
            self.counts[bound] = self.counts.get(bound, 0.0) + count
        self.sum_s += sum_s

    @property
    def count(self) -> int:
        """All durations."""
        return round(sum(self.counts.values()))

    def mean_ms(self) -> float:
        """The exact mean; 0 when empty."""
        return self.sum_s / self.count * 1000 if self.count else 0.0

    def percentile_ms(self, percent: float) -> float:
        """The percentile, linear within its bucket as Prometheus's histogram_quantile does; 0 when empty.

        Infinite when it falls in the bucket without an upper bound.
        """
        rank = percent / 100 * sum(self.counts.values())
        seen, low = 0.0, 0.0
        for bound in sorted(self.counts):
            count = self.counts[bound]
            if count and seen + count >= rank:
                return math.inf if math.isinf(bound) else (low + (bound - low) * (rank - seen) / count) * 1000
            seen, low = seen + count, bound
        return 0.0

    def slower_than(self, limit_s: float) -> tuple[float, float]:
        """How many durations were longer than a limit, and how many there are.

        Those of a bucket that the limit lies within count as longer: how many of them were is not known.
        """
        slow = sum(count for bound, count in self.counts.items() if bound > limit_s * (1 + 1e-9))
        return slow, sum(self.counts.values())

    def bounds_at_rank_ms(self, rank: int) -> tuple[float, float]:
        """The bounds of the bucket that holds the rank-th shortest duration (1 is the shortest)."""
        seen, low = 0.0, 0.0
        for bound in sorted(self.counts):
            seen += self.counts[bound]
            if round(seen) >= rank:
                return low * 1000, bound * 1000
            low = bound
        return low * 1000, math.inf
