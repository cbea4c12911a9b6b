"""Variances from few runs, steadied by those of other figures.

With three runs a side a single variance is little more than a guess, but there are dozens of figures whose noise is
alike. Each variance is drawn towards a common one, the more so the more alike they are (G. K. Smyth, Linear Models and
Empirical Bayes Methods for Assessing Differential Expression, 2004, section 6.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LEAST_FIGURES = 4
"""From fewer variances nothing is learnt about what they have in common."""
_AT_MOST = 2.0
"""The common variance counts at most twice as much as a figure's own: the noise of a whole run moves all figures at
once, and then they agree without being right."""


def squares(values: Sequence[float]) -> float:
    """The sum of the squared deviations from the mean, of which variances are made."""
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values)


def moderated(variances: Sequence[float], freedom: int) -> tuple[list[float], float]:
    """The steadied variances, and the degrees of freedom that they have; `freedom` is that of each variance given."""
    if len(variances) < LEAST_FIGURES or freedom < 1:
        return list(variances), float(freedom)
    half = freedom / 2
    logs = [math.log(variance) - _digamma(half) + math.log(half) for variance in variances]
    mean = sum(logs) / len(logs)
    excess = sum((one - mean) ** 2 for one in logs) / (len(logs) - 1) - _trigamma(half)
    prior = min(2 * _trigamma_inverse(excess), _AT_MOST * freedom) if excess > 0 else _AT_MOST * freedom
    common = math.exp(mean + _digamma(prior / 2) - math.log(prior / 2))
    return [(prior * common + freedom * one) / (prior + freedom) for one in variances], prior + freedom


def _digamma(x: float) -> float:
    """The derivative of the logarithm of the gamma function (NIST DLMF 5.5.2 and 5.11.2)."""
    shift = 0.0
    while x < 8:
        shift, x = shift - 1 / x, x + 1
    square = 1 / (x * x)
    return shift + math.log(x) - 1 / (2 * x) - square * (1 / 12 - square * (1 / 120 - square / 252))


def _trigamma(x: float) -> float:
    """The derivative of digamma (NIST DLMF 5.15.5 and 5.15.8)."""
    shift = 0.0
    while x < 8:
        shift, x = shift + 1 / (x * x), x + 1
    square = 1 / (x * x)
    return shift + 1 / x + square / 2 + square / x * (1 / 6 - square * (1 / 30 - square / 42))


def _trigamma_inverse(value: float) -> float:
    """The x with trigamma(x) = value, by bisection on the logarithm; between 1e-3 and 1e6."""
    low, high = math.log(1e-3), math.log(1e6)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _trigamma(math.exp(middle)) > value else (low, middle)
    return math.exp(low)
