"""Changes of level in series that may be alike every day: each is known only once the other is.

A level that lasts for half of a few days looks like something that belongs to the time of day, and days look like
levels. So both are found in turn, each without the other, from two beginnings: as if there were no days, and as if
there were no levels. What explains the values with fewer changes is kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from dbz.measure.trends.changes import LevelChange, changes_of
from dbz.measure.trends.correlation import lag_one, without_spikes
from dbz.measure.trends.season import has_days, without_days

_MOST_ROUNDS = 4
"""Of finding one without the other: nearly all series need two."""
_OF_A_CHANGE = 3.0
"""What a change costs in the criterion of Schwarz, in logarithms of the number of values: its size, its place, and one
for the many places where it could have been."""


@dataclass(frozen=True)
class DailyChanges:
    """A series without its days."""

    changes: list[LevelChange]
    """The first one first."""
    values: list[float]
    """Without what belongs to every day; the level stays."""


def changes_beside_days(times: Sequence[int], values: Sequence[float], step_s: int) -> DailyChanges:
    """The changes of level of values that follow one another evenly, `times` in seconds since the epoch."""
    if not has_days(times, step_s):
        return DailyChanges(changes_of(values), list(values))
    as_they_are = changes_of(values)
    found = [_settled(times, values, step_s, []), _settled(times, values, step_s, _indexes(as_they_are))]
    return min(found, key=_criterion)


def _settled(times: Sequence[int], values: Sequence[float], step_s: int, begins: Sequence[int]) -> DailyChanges:
    """What comes of taking away days beside changes at these indexes, and looking for changes, in turn."""
    for _ in range(_MOST_ROUNDS):
        rest = without_days(times, values, step_s, begins)
        changes = changes_of(rest)
        if _indexes(changes) == begins:
            break
        begins = _indexes(changes)
    return DailyChanges(changes, rest)


def _indexes(changes: Sequence[LevelChange]) -> list[int]:
    return [change.index for change in changes]


def _criterion(found: DailyChanges) -> float:
    """How badly levels explain values that are AR(1) around them, and what the levels cost."""
    values = without_spikes(found.values)
    count, bounds = len(values), [0, *_indexes(found.changes), len(values)]
    residuals: list[float] = []
    for begin, end in itertools.pairwise(bounds):
        mean = sum(values[begin:end]) / (end - begin)
        residuals += [value - mean for value in values[begin:end]]
    correlation = lag_one(residuals, len(bounds) - 1)
    unknown = residuals[0] ** 2 * (1 - correlation**2)
    unknown += sum((after - correlation * before) ** 2 for before, after in itertools.pairwise(residuals))
    cost = _OF_A_CHANGE * len(found.changes) * math.log(count)
    return -math.inf if not unknown else count * math.log(unknown / count) - math.log(1 - correlation**2) + cost
