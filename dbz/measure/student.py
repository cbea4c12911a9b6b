"""Student's t distribution, by the incomplete beta function (NIST DLMF 8.17.5 and 8.17.22).

Infinite degrees of freedom stand for the normal distribution.
"""

from __future__ import annotations

import math
from functools import lru_cache

_TINY = 1e-300
_PRECISION = 1e-12
_NORMAL_FROM = 1e5
"""From so many degrees of freedom on the two distributions are the same to all digits that are shown."""


def t_two_sided(t: float, freedom: float) -> float:
    """The probability that a t variable is at least as far from 0 as `t`, which is the p-value of a two-sided test."""
    if math.isinf(t):
        return 0.0
    if freedom > _NORMAL_FROM:
        return math.erfc(abs(t) / math.sqrt(2))
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


@lru_cache(1024)
def t_quantile(freedom: float, confidence: float) -> float:
    """Half the width of the two-sided interval of a t variable with `freedom` degrees of freedom (at least 1)."""
    low, high = 0.0, 2.0
    while t_two_sided(high, freedom) > 1 - confidence:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if t_two_sided(middle, freedom) > 1 - confidence else (low, middle)
    return high


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front / (a * _fraction(a, b, x))


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction 1 + d1/(1 + d2/(1 + …)), by the modified method of Lentz."""
    value = upper = 1.0
    lower = 0.0
    for step in range(1, 1000):
        m = step // 2
        if step % 2:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower = 1 / ((1 + d * lower) or _TINY)
        upper = (1 + d / upper) or _TINY
        value *= upper * lower
        if abs(upper * lower - 1) < _PRECISION:
            break
    return value
