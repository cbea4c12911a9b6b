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

_KEPT = 0.9
"""Of the steps, how many say how large a step is: changes of level are among the others."""
_KEPT_VARIANCE = 0.6230
"""The mean square of the nine tenths of standard normal variables that are nearest to 0."""


def robust_correlation(values: Sequence[float]) -> float:
    """φ of a series whose level may change now and then, from the steps over one and over two.

    The variance of the latter is (1 + φ) times that of the former. Source: S. Chakar, E. Lebarbier, C. Lévy-Leduc,
    S. Robin, A robust approach for estimating change-points in the mean of an AR(1) process, Bernoulli 2017; here with
    variances that leave the largest tenth of the steps out in place of Q_n. Between 0 and `MOST`.
    """
    single, double = _step_variance(values, 1), _step_variance(values, 2)
    return min(max(double / single - 1, 0.0), MOST) if single else 0.0


def innovation(values: Sequence[float], correlation: float) -> float:
    """The standard deviation of what is new in each value, from the steps between neighbours but for the largest."""
    return math.sqrt(_step_variance(values, 1) * (1 + correlation) / 2)


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


def careful(correlation: float, count: int) -> float:
    """φ with a standard error of its estimate added: a test that takes it for too small finds what is not there."""
    return min(correlation + math.sqrt((1 - correlation**2) / count), MOST)


def without_spikes(values: Sequence[float], reach: int = 2, bound: float = 4.0) -> list[float]:
    """Values with those that stand out from their neighbours pulled back to `bound` times the noise (F. R. Hampel).

    `reach` is how many neighbours a side count; a stretch shorter than that is a spike, and no change of level.
    """
    middles = [median(values[max(at - reach, 0) : at + reach + 1]) for at in range(len(values))]
    off = [value - middle for value, middle in zip(values, middles, strict=True)]
    limit = bound * median(map(abs, off)) / NORMAL_MAD if off else 0.0
    return [middle + min(max(one, -limit), limit) for middle, one in zip(middles, off, strict=True)]


def _step_variance(values: Sequence[float], lag: int) -> float:
    """The variance of normal steps over so many values, from the nine tenths of them that are the smallest."""
    squares = sorted((after - before) ** 2 for before, after in zip(values, values[lag:], strict=False))
    kept = squares[: max(round(len(squares) * _KEPT), 1)]
    return sum(kept) / len(kept) / _KEPT_VARIANCE if kept else 0.0
