"""On which terms runs are compared with runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dbz.measure.confidence import normal_quantile

TAIL_NOISE = 2.0
"""How much noisier than the median the tail of a run is assumed to be."""


@dataclass(frozen=True)
class ComparisonTerms:
    """When a difference counts: beyond `threshold`, with this confidence over all figures together.

    `noise` is what the medians of two single runs of the same code are assumed to differ by in 95 of 100 cases; tails
    differ by twice as much. Both are shares of the base value. `busy` is the share of the machine that others may have
    taken more of on one side, before that side is not called slower.
    """

    threshold: float = 0.05
    noise: float = 0.15
    confidence: float = 0.95
    busy: float = 0.10

    def assumed_variance(self, stat: str) -> float:
        """The assumed variance of the logarithm of one run's figure."""
        tail = stat == "max" or (stat.startswith("p") and stat != "p50")
        differ = TAIL_NOISE * self.noise if tail else self.noise
        return (math.log1p(differ) / normal_quantile(0.95)) ** 2 / 2
