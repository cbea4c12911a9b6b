"""A first look over all rates at once: arrivals come faster and faster until the target falls behind.

It says where the search is to begin, and nothing else: what is found there is looked at again, at a constant rate.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dbz.config.load.profile import override
from dbz.config.source.model import Parsed
from dbz.load.capacity.plan import CapacityPlan, plan_at
from dbz.load.capacity.search import Bounds
from dbz.load.planning.plan import LoadPlan
from dbz.measure.latency.series import HTTP, REQUEST_KINDS
from dbz.runs.storage.reading import Record
from dbz.runs.storage.record import STEADY

DOUBLING_S = 3.0
"""In so long the rate doubles: slow enough for a queue to show before there is twice as much."""
_BEHIND_S = 0.5
"""Requests of this many seconds of arrivals are under way at the same time where the target has fallen behind."""
_FEW_RUNNING = 5
_FAILED_SHARE = 0.05
_KNEE_SECONDS = 2
"""A target is behind for so many seconds on end: one may be a pause."""
_CAUTION, _GROWTH = 0.85, 1.15
"""The search begins at this share of what the ramp found, and steps up by this factor."""


@dataclass(frozen=True)
class RampSecond:
    """One second of a ramp, over all processes of the generator."""

    begun: int
    """Arrivals that began."""
    running: int
    """Requests under way at its end."""
    succeeded: int
    """Requests that were answered well in it."""
    failed: int = 0

    @property
    def is_behind(self) -> bool:
        """Whether the target did not keep up."""
        queued = self.running > max(_BEHIND_S * max(self.begun, self.succeeded), _FEW_RUNNING)
        return queued or self.failed > _FAILED_SHARE * (self.failed + self.succeeded)


def plan_ramp(plan: CapacityPlan) -> LoadPlan:
    """One run in which the rate doubles again and again, from the first load of a search to the highest one."""
    first, highest = plan.bounds.start, plan.bounds.highest
    doublings = max(math.ceil(math.log2(highest / first)), 1)
    tops = [min(first * 2**number, highest) for number in range(1, doublings + 1)]
    profile = plan_at(plan, highest).profile
    keys = {
        "rate": Parsed(first),
        "stages": [{"to": Parsed(top), "over": Parsed(DOUBLING_S)} for top in tops],
        "duration": Parsed(DOUBLING_S * doublings),
        "warmup": Parsed(min(profile.warmup, plan.step_s)),
    }
    return replace(plan.plan, profile=override(profile, keys))


def ramp_seconds(record: Record) -> list[RampSecond]:
    """The seconds of the judged part that all processes have written about."""
    workers = [lines for lines in record.workers.values() if lines]
    if STEADY not in record.marks or not workers:
        return []
    begin, end = round(record.marks[STEADY]), math.floor(min(lines[-1]["t"] for lines in workers) + 0.01)
    sums: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for lines in workers:
        for line in lines:
            of_second = sums[round(line["t"])]
            of_second[0] += line.get("begun", 0)
            of_second[1] += line.get("running", 0)
    kinds = {interval.series.kind for interval in record.intervals}
    counted = (HTTP,) if HTTP in kinds else REQUEST_KINDS
    for interval in record.intervals:
        if interval.series.kind in counted:
            sums[round(interval.start_s + interval.length_s)][3 if interval.series.failed else 2] += len(
                interval.histogram
            )
    return [RampSecond(*sums[second]) for second in range(begin + 1, end + 1)]


def knee_per_s(seconds: Sequence[RampSecond]) -> float | None:
    """About how many arrivals a second the target can take; None while it keeps up.

    A target that has fallen behind works as fast as it can: what it answers well meanwhile is its limit, divided by
    how many requests an arrival makes.
    """
    for end in range(_KNEE_SECONDS, len(seconds) + 1):
        behind = seconds[end - _KNEE_SECONDS : end]
        if all(second.is_behind for second in behind):
            before = seconds[: end - _KNEE_SECONDS]
            begun = sum(second.begun for second in before)
            under_way = before[-1].running if before else 0
            made = sum(second.succeeded + second.failed for second in before) + under_way
            per_arrival = made / begun if begun and made else 1.0
            return sum(second.succeeded for second in behind) / _KNEE_SECONDS / per_arrival
    return None


def bounds_from(bounds: Bounds, knee: float | None) -> Bounds:
    """Where to search after a ramp: from just below its knee, in small steps; from the top when there was none."""
    if knee is None:
        return replace(bounds, start=bounds.highest)
    start = min(max(math.floor(_CAUTION * knee), bounds.lowest), bounds.highest)
    return replace(bounds, start=start, growth=_GROWTH)
