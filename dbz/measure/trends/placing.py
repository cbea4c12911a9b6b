"""Where exactly a level begins, where neighbours are alike: the jump itself tells more than the levels on its sides.

What is new in a value that begins a level is the whole step, and in those after it only a part of that, 1 - φ. A line
of this shape is fitted to what is new at each place; the best of them is where the level begins (generalised least
squares, A. C. Aitken, On least squares and linear combination of observations, Proc. R. Soc. Edinburgh 1935).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence


def place_of_step(values: Sequence[float], correlation: float, first: int, last: int) -> int:
    """The index from `first` to `last`, 1 or more, at which the values best divide into two levels; φ is below 1."""
    new = _new_in(values, correlation)
    level = _new_in([1.0] * len(values), correlation)
    mean = sum(map(float.__mul__, level, new)) / sum(one * one for one in level)
    left = [value - mean * one for value, one in zip(new, level, strict=True)]
    share = 1 - correlation
    left_after, level_after = _sums_after(left), _sums_after(level)
    of_level = sum(one * one for one in level)

    def explained(at: int) -> float:
        fits = left[at] + share * left_after[at]
        alike = level[at] + share * level_after[at]
        size = 1 + share**2 * (len(values) - at - 1) - alike**2 / of_level
        return fits**2 / size if size > 0 else 0.0

    return max(range(first, last + 1), key=explained)


def _new_in(values: Sequence[float], correlation: float) -> list[float]:
    """What each value has that the one before it does not tell, all of one variance."""
    first = values[0] * math.sqrt(1 - correlation**2)
    return [first, *(after - correlation * before for before, after in itertools.pairwise(values))]


def _sums_after(values: Sequence[float]) -> list[float]:
    """The sum of all that follow each value."""
    sums = [0.0, *itertools.accumulate(reversed(values))]
    return sums[-2::-1]
