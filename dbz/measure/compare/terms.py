"""On which terms runs are compared with runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dbz.measure.confidence import normal_quantile

TAIL_NOISE = 2.0
"""How much noisier than the median the tail of a run is assumed to be."""


@dataclass(frozen=True)
class ComparisonTerms:
    """When a difference counts."""

    threshold: float = 0.05
    """The smallest change that counts, as a share of the base value."""
    noise: float = 0.15
    """What the medians of two single runs of the same code are assumed to differ by in 95 of 100 cases, as a share of
    the base value; tails differ by twice as much."""
    confidence: float = 0.95
    """That of all figures together."""
    busy: float = 0.10
    """The share of the machine that others may have taken more of on one side before that is not called slower."""
    allow_vanished: bool = False
    """Whether operations that the base has and the new runs never made are accepted."""

    def assumed_variance(self, stat: str) -> float:
        """The assumed variance of the logarithm of one run's figure."""
        tail = stat == "max" or (stat.startswith("p") and stat != "p50")
        differ = TAIL_NOISE * self.noise if tail else self.noise
        return (math.log1p(differ) / normal_quantile(0.95)) ** 2 / 2
