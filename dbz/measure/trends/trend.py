"""Whether a series rises or falls, how fast, and how sure that is.

The slope is the median of the slopes between all pairs (H. Theil 1950; P. K. Sen, Estimates of the Regression
Coefficient Based on Kendall's Tau, JASA 1968), which outliers do not move. Its error is that of a line through values
that are AR(1): the covariance of neighbours is in it, with φ put right for what the fit took away. Degrees of freedom
are those of so many correlated values (M. S. Bartlett 1935; B. D. Santer et al., Statistical significance of trends, J.
Geophys. Res. 2000). Mann and Kendall's test, which takes values as independent, finds a trend in every fourth series of
noise with φ = 0.6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from dbz.measure.student import t_quantile, t_two_sided
from dbz.measure.trends.correlation import NORMAL_MAD, careful, lag_one

LEAST_VALUES = 12
"""Of fewer, no trend is told."""
MOST_VALUES = 200
"""The slopes between all pairs of more take too long: callers join neighbours first."""


@dataclass(frozen=True)
class RobustTrend:
    """A line through a series."""

    slope: float
    """In the unit of the values, by unit of time."""
    low: float
    """The end of the slope's interval towards minus infinity."""
    high: float
    p: float
    """How often noise without any trend looks like it."""
    at_zero: float
    """The value of the line at the time 0."""
    correlation: float
    """φ of what the line leaves over."""

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves no doubt about the direction."""
        return self.low > 0 or self.high < 0


def trend_of(times: Sequence[float], values: Sequence[float], confidence: float = 0.95) -> RobustTrend | None:
    """The trend of values at times that grow, evenly but for gaps; None for fewer than `LEAST_VALUES`."""
    count = len(values)
    if count < LEAST_VALUES:
        return None
    slope = median(
        (values[later] - values[at]) / (times[later] - times[at])
        for at in range(count)
        for later in range(at + 1, count)
    )
    level = median(value - slope * t for t, value in zip(times, values, strict=True))
    residuals = _without_outliers([value - level - slope * t for t, value in zip(times, values, strict=True)])
    correlation = lag_one(residuals, 2)
    assumed = careful(correlation, count)
    error = _error(times, residuals, assumed)
    freedom = max(count * (1 - assumed**2) / (1 + assumed**2) - 2, 1.0)
    half = t_quantile(freedom, confidence) * error
    p = t_two_sided(slope / error, freedom) if error else float(slope == 0)
    return RobustTrend(slope, slope - half, slope + half, p, level, correlation)


def _without_outliers(residuals: Sequence[float]) -> list[float]:
    bound = 3 * median(map(abs, residuals)) / NORMAL_MAD
    return [min(max(one, -bound), bound) for one in residuals] if bound else list(residuals)


def _error(times: Sequence[float], residuals: Sequence[float], correlation: float) -> float:
    """The standard error of the slope of a line through AR(1) values: x'Rx / (x'x)², times their variance."""
    middle = sum(times) / len(times)
    x = [t - middle for t in times]
    square = sum(one * one for one in x)
    flat = _form([1.0] * len(x), correlation) / len(x)
    steep = _form(x, correlation) / square
    variance = sum(one * one for one in residuals) / max(len(x) - flat - steep, 1.0)
    return math.sqrt(variance * steep / square)


def _form(x: Sequence[float], correlation: float) -> float:
    """x'Rx where R has the powers of φ by distance: each x meets those before it, weakened step by step."""
    total = before = 0.0
    for one in x:
        total += one * (one + 2 * correlation * before)
        before = one + correlation * before
    return total
