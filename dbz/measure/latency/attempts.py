"""Latency of attempts of which some failed.

A failed attempt never improves a latency figure. In a percentile it counts as slower than every success: with 6 % of
failures the p95 is infinite, because 95 % of the attempts were not answered in any time. In a mean it counts with its
own duration or with the mean itself, whichever is longer; without any success the mean is infinite too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dbz.measure.latency.histogram import Histogram, merged, rank_of


def _exact(_value_ms: float) -> float:
    return 0.0


@dataclass(frozen=True)
class Latency:
    """Durations of successes and of failures, apart; all results are in milliseconds.

    `rounding` says by how many milliseconds a value may have been rounded by whoever measured it.
    """

    ok: Histogram = field(default_factory=Histogram)
    failed: Histogram = field(default_factory=Histogram)
    rounding: Callable[[float], float] = _exact

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

    def bounds_at_rank_ms(self, rank: int) -> tuple[float, float]:
        """Between which values the rank-th fastest attempt was (0 before the first one); infinite for failed ones."""
        if rank > len(self.ok):
            return math.inf, math.inf
        low_us, high_us = self.ok.bounds_at_rank(rank) if rank > 0 else (0, 0)
        return low_us / 1000 - self.rounding(low_us / 1000), high_us / 1000 + self.rounding(high_us / 1000)

    def within(self, limit_ms: float) -> int:
        """How many attempts succeeded within a time, by the lowest value of their histogram position."""
        return self.ok.up_to(round(limit_ms * 1000, 3))

    def mean_ms(self) -> float:
        """The mean over all attempts; infinite when none succeeded; 0 when empty.

        Only failures that are longer than the mean move it, so that neither fast nor slow ones ever lower it.
        """
        if not self.ok:
            return math.inf if self.failed else 0.0
        total_us, count = self.ok.total_us(), len(self.ok)
        for low, high, failures in reversed(list(self.failed.buckets())):
            if (low + high) / 2 <= total_us / count:
                break
            total_us, count = total_us + (low + high) / 2 * failures, count + failures
        return total_us / count / 1000

    @property
    def max_ms(self) -> float:
        """The longest attempt, failed ones included, as it was measured."""
        return max(self.ok.max_us, self.failed.max_us) / 1000


def combined(latencies: Iterable[Latency]) -> Latency:
    """All attempts of several latencies as one, to be read only: of a single one it is that."""
    every = list(latencies)
    if len(every) == 1:
        return every[0]
    rounding = every[0].rounding if every else _exact
    return Latency(merged(one.ok for one in every), merged(one.failed for one in every), rounding)
