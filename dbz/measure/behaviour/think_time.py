"""How long people pause, as quantiles: between two of them all durations are equally likely."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dbz.measure.latency.histogram import Histogram

LEARNT_SHARES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""The quantiles that are taken of recorded pauses; beside them there is a longest one."""


@dataclass(frozen=True)
class ThinkTime:
    """A distribution of pauses."""

    quantiles: Sequence[tuple[float, float]]
    """(share of all pauses, seconds that so many are not longer than): from share 0 to 1, ascending in both."""

    @property
    def shortest_s(self) -> float:
        """No pause is shorter, in seconds."""
        return self.quantiles[0][1]

    @property
    def longest_s(self) -> float:
        """No pause is longer, in seconds."""
        return self.quantiles[-1][1]

    @property
    def mean_s(self) -> float:
        """The mean pause in seconds."""
        return sum((right - left) * (low + high) / 2 for left, right, low, high in self.bands())

    def bands(self) -> Iterator[tuple[float, float, float, float]]:
        """Between two quantiles each: (share left, share right, lowest seconds, highest seconds)."""
        for (left, low), (right, high) in itertools.pairwise(self.quantiles):
            yield left, right, low, high

    def draw_s(self, numbers: random.Random) -> float:
        """A pause in seconds."""
        share = numbers.random()
        for left, right, low, high in self.bands():
            if share < right:
                return low + (high - low) * ((share - left) / (right - left))
        return self.longest_s

    def rest_s(self, numbers: random.Random) -> float:
        """What is left, in seconds, of a pause that is met at a moment of its own.

        Long pauses are met more often than short ones: each as often as it is long.
        """
        bands = list(self.bands())
        weights = [(right - left) * (low + high) for left, right, low, high in bands]
        if not any(weights):
            return 0.0
        _, _, low, high = numbers.choices(bands, weights)[0]
        met_s = math.sqrt(low**2 + numbers.random() * (high**2 - low**2))
        return numbers.uniform(0, met_s)


def evenly(shortest_s: float, longest_s: float) -> ThinkTime:
    """Pauses that are evenly distributed between two durations."""
    return ThinkTime(((0.0, shortest_s), (1.0, longest_s)))


NO_PAUSE = evenly(0, 0)


def learnt(pauses: Histogram) -> ThinkTime:
    """Quantiles of recorded pauses.

    The longest is not that of the record, which would be one person's lunch: above the last quantile the pauses reach
    so far that their mean is that of the record.
    """
    if not len(pauses):
        return NO_PAUSE
    seconds = [pauses.min_us / 1e6, *(pauses.percentile_us(share * 100) / 1e6 for share in LEARNT_SHARES[1:])]
    below = ThinkTime(tuple(zip(LEARNT_SHARES, seconds, strict=True)))
    last_share, last_s = LEARNT_SHARES[-1], seconds[-1]
    mean_above_s = (pauses.mean_us() / 1e6 - below.mean_s) / (1 - last_share)
    longest_s = min(max(2 * mean_above_s - last_s, last_s), pauses.max_us / 1e6)
    return ThinkTime((*below.quantiles, (1.0, max(longest_s, last_s))))
