"""When a series changed its level, where neighbours are alike and single values stand out.

What each value has of the one before it is taken away first, with a φ that changes of level do not touch; what is left
is split where that pays (AR1seg: S. Chakar et al., Bernoulli 2017; the splitting is PELT, Killick et al. 2012). A
change must then be confirmed by a t test that counts correlated values for what they are worth, and is put where its
jump is. A series that one line explains as well as its levels do has a trend, and no changes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from dbz.measure.compare.change_points import segment
from dbz.measure.student import t_two_sided
from dbz.measure.trends.correlation import careful, innovation, lag_one, robust_correlation, without_spikes
from dbz.measure.trends.placing import place_of_step

LEAST_VALUES = 24
"""Of fewer, no change is told."""
_SHORTEST = 5
"""Values between two changes: what lasts for less is a spike."""
_MOST_TAKEN = 0.5
"""φ is uncertain, and taking away too much of the value before hides changes; too many are for the test to drop."""
_PENALTY = 5.0
"""Of a change, in variances of the noise times the logarithm of the number of values."""
_CONFIRMED = 0.005
"""Of a t test with a careful φ, which tells of less than that share of noise."""
_REACH = 12
"""How far from where the levels part best a jump is looked for, in values."""


@dataclass(frozen=True)
class LevelChange:
    """A new level."""

    index: int
    """Of the first value on it."""
    before: float
    """The median of the level before."""
    after: float
    """And of the new one."""


def changes_of(values: Sequence[float]) -> list[LevelChange]:
    """The changes of level of values that follow one another evenly, the first one first."""
    if len(values) < LEAST_VALUES:
        return []
    smooth = without_spikes(values)
    correlation = min(robust_correlation(smooth), _MOST_TAKEN)
    noise = innovation(smooth, correlation)
    if not noise:  # most neighbours are equal: every difference counts
        noise = 1e-9 * (max(smooth) - min(smooth))
    if not noise:
        return []
    fresh = [after - correlation * before for before, after in itertools.pairwise(smooth)]
    scaled = [value / noise for value in fresh]
    found = [at + 1 for at in segment(scaled, _PENALTY * math.log(len(scaled)), _SHORTEST)]
    found = _confirmed(smooth, found)
    found = _placed(smooth, found)
    if found and _is_rather_a_line(smooth, found):
        return []
    bounds = [0, *found, len(values)]
    levels = [median(values[begin:end]) for begin, end in itertools.pairwise(bounds)]
    return [LevelChange(at, levels[number], levels[number + 1]) for number, at in enumerate(found)]


def _confirmed(values: Sequence[float], found: Sequence[int]) -> list[int]:
    """Without the changes that a t test does not confirm; the weakest goes first, and its sides become one."""
    kept = list(found)
    while kept:
        bounds = [0, *kept, len(values)]
        correlation = careful(lag_one(_residuals(values, bounds), len(bounds) - 1), len(values))
        worth = (1 - correlation) / (1 + correlation)
        p_values = [_p(values, bounds[at : at + 3], worth) for at in range(len(kept))]
        weakest = max(range(len(kept)), key=p_values.__getitem__)
        if p_values[weakest] < _CONFIRMED:
            break
        del kept[weakest]
    return kept


def _placed(values: Sequence[float], found: Sequence[int]) -> list[int]:
    """Changes where their jumps are, each between its neighbours."""
    placed = [0, *found, len(values)]
    correlation = lag_one(_residuals(values, placed), len(placed) - 1)
    for number in range(1, len(placed) - 1):
        begin, at, end = placed[number - 1 : number + 2]
        first, last = max(at - _REACH, begin + _SHORTEST), min(at + _REACH, end - _SHORTEST)
        placed[number] = begin + place_of_step(values[begin:end], correlation, first - begin, last - begin)
    return placed[1:-1]


def _residuals(values: Sequence[float], bounds: Sequence[int]) -> list[float]:
    left = []
    for begin, end in itertools.pairwise(bounds):
        mean = sum(values[begin:end]) / (end - begin)
        left += [value - mean for value in values[begin:end]]
    return left


def _p(values: Sequence[float], bounds: Sequence[int], worth: float) -> float:
    """The p-value of the two sides of a change, of which each value is worth so much of an independent one."""
    begin, at, end = bounds
    squares = sum(one * one for one in _residuals(values, bounds))
    before, after = ((at - begin) * worth, (end - at) * worth)
    freedom = max(before + after - 2, 1.0)
    difference = sum(values[at:end]) / (end - at) - sum(values[begin:at]) / (at - begin)
    error = math.sqrt(squares / max(end - begin - 2, 1) * (1 / before + 1 / after))
    return t_two_sided(difference / error, freedom) if error else float(not difference)


def _is_rather_a_line(values: Sequence[float], found: Sequence[int]) -> bool:
    """Whether a line explains the values as well as the levels do, which are as many numbers and as many places.

    By the criterion of Schwarz, on what is new in each value once the correlation of what is left over is taken away.
    """
    count = len(values)
    bounds = [0, *found, count]
    of_levels = _residuals(values, bounds)
    middle, mean = (count - 1) / 2, sum(values) / count
    square = sum((at - middle) ** 2 for at in range(count))
    slope = sum((at - middle) * value for at, value in enumerate(values)) / square
    of_line = [value - mean - slope * (at - middle) for at, value in enumerate(values)]
    correlation = min(lag_one(of_levels, len(bounds) - 1), lag_one(of_line, 2))
    levels, line = _innovations(of_levels, correlation), _innovations(of_line, correlation)
    if not levels or not line:
        return not line
    return count * math.log(line / levels) < (2 * len(found) - 1) * math.log(count)


def _innovations(residuals: Sequence[float], correlation: float) -> float:
    """The sum of squares of what is new in each residual."""
    return sum((after - correlation * before) ** 2 for before, after in itertools.pairwise(residuals))
