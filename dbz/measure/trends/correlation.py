"""How much neighbouring values of a series have in common, and what their noise is.

Values that follow one another in time are taken as AR(1): each is a share φ of the deviation before it, and something
new. Sums over such values vary more than those over independent ones, which is why tests that do not know it see
trends and changes in plain noise.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from statistics import median

NORMAL_MAD = 0.6745
"""The median of the distance from the middle of a standard normal variable."""
MOST = 0.97
"""More correlation than this is a random walk, about which nothing can be said."""


def robust_correlation(values: Sequence[float]) -> float:
    """φ of a series whose level may change now and then, from the steps over one and over two.

    The variance of the latter is (1 + φ) times that of the former, and a few changes of level hardly touch the medians.
    Source: S. Chakar, E. Lebarbier, C. Lévy-Leduc, S. Robin, A robust approach for estimating change-points in the mean
    of an AR(1) process, Bernoulli 2017; here with medians in place of Q_n. Between 0 and `MOST`.
    """
    single, double = _median_step(values, 1), _median_step(values, 2)
    return min(max((double / single) ** 2 - 1, 0.0), MOST) if single else 0.0


def innovation(values: Sequence[float], correlation: float) -> float:
    """The standard deviation of what is new in each value, from the median step between neighbours."""
    return _median_step(values, 1) / NORMAL_MAD * math.sqrt((1 + correlation) / 2)


def lag_one(residuals: Sequence[float], fitted: int) -> float:
    """φ of what a fit of so many parameters (1 a mean, 2 a line) left over, between 0 and `MOST`.

    A fit takes correlation away: the estimate is too low by about (1 + 3 φ) / n for a mean (M. G. Kendall, Note on bias
    in the estimation of autocorrelation, Biometrika 1954) and (2 + 4 φ) / n for a line, which is put right here.
    """
    count, squares = len(residuals), sum(value * value for value in residuals)
    if not squares or count <= fitted + 3:
        return 0.0
    biased = sum(a * b for a, b in itertools.pairwise(residuals)) / squares
    return min(max((count * biased + fitted) / (count - fitted - 2), 0.0), MOST)


def without_spikes(values: Sequence[float], reach: int = 3, bound: float = 4.0) -> list[float]:
    """Values with those that stand out from their neighbours pulled back to `bound` times the noise (F. R. Hampel).

    `reach` is how many neighbours a side count; a stretch shorter than that is a spike, and no change of level.
    """
    middles = [median(values[max(at - reach, 0) : at + reach + 1]) for at in range(len(values))]
    off = [value - middle for value, middle in zip(values, middles, strict=True)]
    limit = bound * median(map(abs, off)) / NORMAL_MAD if off else 0.0
    return [middle + min(max(one, -limit), limit) for middle, one in zip(middles, off, strict=True)]


def _median_step(values: Sequence[float], lag: int) -> float:
    steps = [abs(after - before) for before, after in zip(values, values[lag:], strict=False)]
    return median(steps) if steps else 0.0
