"""Days that are like each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

DAY_S = 86_400
LEAST_DAYS = 3
"""Of fewer days, nobody knows what belongs to every day."""


def without_days(times: Sequence[int], values: Sequence[float], step_s: int) -> list[float]:
    """Values without what belongs to their time of day, the median of the other days at that time; the level stays.

    Values of fewer than `LEAST_DAYS` days, or of steps of half a day and more, come back as they are. `times` are in
    seconds since the epoch.
    """
    if not times or times[-1] - times[0] < (LEAST_DAYS - 0.5) * DAY_S or step_s * 2 >= DAY_S:
        return list(values)
    by_time: defaultdict[int, list[float]] = defaultdict(list)
    for t, value in zip(times, values, strict=True):
        by_time[t % DAY_S // step_s].append(value)
    level = median(values)
    usual = {time: median(found) - level for time, found in by_time.items() if len(found) >= LEAST_DAYS}
    return [value - usual.get(t % DAY_S // step_s, 0.0) for t, value in zip(times, values, strict=True)]
