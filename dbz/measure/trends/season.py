"""Days that are like each other."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from statistics import median

DAY_S = 86_400
LEAST_DAYS = 3
"""Of fewer days, nobody knows what belongs to every day."""


def has_days(times: Sequence[int], step_s: int) -> bool:
    """Whether times, in seconds since the epoch, are enough of to know what belongs to every day."""
    return bool(times) and times[-1] - times[0] >= (LEAST_DAYS - 0.5) * DAY_S and step_s * 2 < DAY_S


def without_days(times: Sequence[int], values: Sequence[float], step_s: int, begins: Sequence[int] = ()) -> list[float]:
    """Values without what belongs to their time of day, the median of the other days at that time; the level stays.

    Where levels begin at the indexes `begins`, each value counts by what it is above its own level. Values of fewer
    than `LEAST_DAYS` days, or of steps of half a day and more, come back as they are. `times` are in seconds since
    the epoch.
    """
    if not has_days(times, step_s):
        return list(values)
    by_time: defaultdict[int, list[float]] = defaultdict(list)
    for begin, end in itertools.pairwise([0, *begins, len(values)]):
        level = median(values[begin:end])
        for t, value in zip(times[begin:end], values[begin:end], strict=True):
            by_time[t % DAY_S // step_s].append(value - level)
    usual = {time: median(found) for time, found in by_time.items() if len(found) >= LEAST_DAYS}
    return [value - usual.get(t % DAY_S // step_s, 0.0) for t, value in zip(times, values, strict=True)]
