"""What a scenario measures itself: durations, and counters that only grow."""

from __future__ import annotations

import math

from dbz.load.generator.record.recorder import Recorder
from dbz.measure.latency.series import MEASURE

MOST_NAMES = 1000
"""More counters or durations than this are ids in names."""
_LARGEST = 10**15


class MetricError(ValueError):
    """A scenario's own metric is called or counted as none can be."""


class OwnMetrics:
    """The scenario's own metrics in one process."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._names: dict[str, set[str]] = {"measure": set(), "count": set()}

    def measure(self, name: str, seconds: float) -> None:
        """Record a duration; `MetricError` for what is none."""
        self._check("measure", name, seconds)
        self._recorder.success(MEASURE, name, seconds)

    def count(self, name: str, amount: float) -> None:
        """Count up by `amount`, which may be 0; `MetricError` for what cannot be counted."""
        self._check("count", name, amount)
        self._recorder.count(name, amount)

    def _check(self, what: str, name: str, value: float) -> None:
        names = self._names[what]
        if name not in names:
            if not isinstance(name, str) or not name.strip():
                raise MetricError(f"{what}: a name is a text, not {name!r}")
            if len(names) >= MOST_NAMES:
                raise MetricError(f"{what}({name!r}): there are {MOST_NAMES:,} names already; leave ids out of them")
            names.add(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not 0 <= value <= _LARGEST:
            raise MetricError(f"{what}({name!r}): {value!r} is no number from 0 on")
