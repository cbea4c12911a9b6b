"""What a comparison could have found: the smallest change, and the runs that a change asks for.

A change is found when it is significant after the correction for many figures, and the noise of the runs decides how
large it must be. The smallest change that is found in nine of ten cases is (quantile of the test + quantile of the
power) times the standard error (J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, ch. 2).
"""

from __future__ import annotations

import math

from dbz.measure.student import t_quantile

POWER = 0.9
MOST_RUNS = 50
"""More runs than this nobody makes: longer ones, or a quieter machine, help more."""


def smallest_change(error: float, freedom: float, figures: int, confidence: float) -> float:
    """The smallest increase, as a share, that is found in nine of ten cases among so many figures.

    `error` is the standard error of the difference of logarithms, known with so many degrees of freedom.
    """
    return math.expm1(_distance(freedom, figures, confidence) * error)


def runs_needed(deviation: float, change: float, figures: int, confidence: float) -> int | None:
    """How many runs a side find an increase by the share `change` in nine of ten cases; None for more than anybody
    makes. `deviation` is the standard deviation of the logarithm of one run's figure."""
    for runs in range(2, MOST_RUNS + 1):
        error = deviation * math.sqrt(2 / runs)
        if _distance(2 * (runs - 1), figures, confidence) * error <= math.log1p(change):
            return runs
    return None


def _distance(freedom: float, figures: int, confidence: float) -> float:
    """How many standard errors a change must be away from none."""
    corrected = 1 - (1 - confidence) / max(figures, 1)
    return t_quantile(freedom, corrected) + t_quantile(freedom, 2 * POWER - 1)
