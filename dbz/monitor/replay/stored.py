"""What the monitor itself has kept, as a recording."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.file import MonitorFile
from dbz.monitor.replay.recording import RecordedReadings, from_points
from dbz.monitor.store.rollups import MINUTE_S
from dbz.monitor.store.store import MonitorStore

_UP = "up"
_MOST_ROUNDS = 45_000
"""A month of minutes."""


def period_of(range_s: float, interval_s: float) -> float:
    """How finely a range is read: as it was asked, and a long one by minutes, which is what is kept of it."""
    if range_s / interval_s <= _MOST_ROUNDS:
        return interval_s
    return max(math.ceil(range_s / _MOST_ROUNDS / MINUTE_S), 1) * MINUTE_S


def of_store(
    store: MonitorStore, config: MonitorFile, begin_s: float, end_s: float, period_s: float
) -> RecordedReadings:
    """The series of all that the file watches, between two times; `UsageError` when nothing is kept of them."""
    names = [thing.name for thing in config.watched]
    recording = from_points(str(store.path), _points(store, names, begin_s, end_s, period_s), period_s)
    recording.own = True
    return recording


def _points(
    store: MonitorStore, names: list[str], begin_s: float, end_s: float, period_s: float
) -> Iterator[tuple[str, Watched | None, float, float]]:
    keys = {**{metric.value: metric for metric in Watched}, _UP: None}
    for name in names:
        for key, rollups in store.series(name, begin_s, end_s, round(period_s), list(keys)).items():
            yield from ((name, keys[key], one.t, one.mean) for one in rollups)
