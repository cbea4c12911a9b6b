"""Where a series of runs changed its level: optimal segmentation with pruning.

PELT (R. Killick, P. Fearnhead, I. A. Eckley, Optimal Detection of Changepoints with a Linear Computational Cost, JASA
2012) with the squared deviation from a segment's mean as its cost. The penalty of a change comes from the noise between
neighbouring runs, which a change of level hardly touches; a change that a t test between its two sides does not confirm
is dropped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from statistics import median

from dbz.measure.student import t_two_sided

MIN_SEGMENT = 3
"""Runs on each side of a change: fewer could be an outlier."""
_PENALTY = 3.0
"""Times the noise variance and the logarithm of the number of runs; twice that of BIC is about 2."""
_CONFIRMED = 0.003
_NORMAL_MAD = 0.6745
_LEAST_NOISE = 1e-3


def change_points(values: Sequence[float], min_segment: int = MIN_SEGMENT) -> list[int]:
    """The indexes at which a new level begins; values are logarithms, or anything whose noise is alike everywhere."""
    if len(values) < 2 * min_segment:
        return []
    found = segment(values, _PENALTY * noise(values) ** 2 * math.log(len(values)), min_segment)
    return _confirmed(values, found)


def noise(values: Sequence[float]) -> float:
    """The standard deviation of single values, from the median step between neighbours."""
    steps = [abs(after - before) for before, after in itertools.pairwise(values)]
    return max(median(steps) / _NORMAL_MAD / math.sqrt(2), _LEAST_NOISE)


def segment(values: Sequence[float], penalty: float, min_segment: int) -> list[int]:
    """The segmentation with the least cost, each change costing the penalty; the beginnings of all segments but the
    first."""
    sums = [0.0, *itertools.accumulate(values)]
    squares = [0.0, *itertools.accumulate(value * value for value in values)]

    def cost(begin: int, end: int) -> float:
        total = sums[end] - sums[begin]
        return squares[end] - squares[begin] - total * total / (end - begin)

    best = [-penalty] + [math.inf] * len(values)
    previous = [0] * (len(values) + 1)
    candidates, beaten_from = [0], dict[int, int]()
    for end in range(min_segment, len(values) + 1):
        candidates = [one for one in candidates if beaten_from.get(one, end + 1) > end]
        costs = {begin: best[begin] + cost(begin, end) + penalty for begin in candidates if end - begin >= min_segment}
        if not costs:
            continue
        previous[end] = min(costs, key=costs.__getitem__)
        best[end] = costs[previous[end]]
        # A beginning that is worse without the penalty loses to a change at `end`, once a segment may begin there.
        for one in costs:
            if costs[one] - penalty > best[end]:
                beaten_from.setdefault(one, end + min_segment)
        candidates.append(end)
    return _walk_back(previous, len(values))


def _walk_back(previous: Sequence[int], end: int) -> list[int]:
    found = []
    while previous[end]:
        end = previous[end]
        found.append(end)
    return found[::-1]


def _confirmed(values: Sequence[float], found: Sequence[int]) -> list[int]:
    """The changes whose two sides differ by a t test; the weakest one goes first, and its sides become one."""
    kept = list(found)
    while kept:
        bounds = [0, *kept, len(values)]
        p_values = [
            _p(values[bounds[at] : bounds[at + 1]], values[bounds[at + 1] : bounds[at + 2]]) for at in range(len(kept))
        ]
        weakest = max(range(len(kept)), key=p_values.__getitem__)
        if p_values[weakest] < _CONFIRMED:
            break
        del kept[weakest]
    return kept


def _p(before: Sequence[float], after: Sequence[float]) -> float:
    means = [sum(side) / len(side) for side in (before, after)]
    freedom = len(before) + len(after) - 2
    squares = sum((value - mean) ** 2 for side, mean in zip((before, after), means, strict=True) for value in side)
    error = math.sqrt(max(squares / freedom, _LEAST_NOISE**2) * (1 / len(before) + 1 / len(after)))
    return t_two_sided((means[1] - means[0]) / error, freedom)
