"""Recorded time as a monitor would have read it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.targets import WatchedTarget
from dbz.errors import UsageError
from dbz.monitor.sources.reading import SourceReading

MOST_ROUNDS = 3_000_000


@dataclass
class RecordedReadings:
    """Readings, a round after the other; a round in which a target says nothing has none of it."""

    name: str
    """What it was read from."""
    start_s: float
    """When its first period began, in seconds since the epoch."""
    period_s: float
    targets: Sequence[str]
    own: bool = False
    """Whether the targets are the things that the monitor file watches, and not one service that somebody recorded."""
    rounds: dict[int, dict[str, SourceReading]] = field(default_factory=dict)
    """By the number of the period that they are about, counted from 0."""

    @property
    def length_s(self) -> float:
        """How much time it is about."""
        return (max(self.rounds) + 1) * self.period_s if self.rounds else 0.0


def replayed_config(config: MonitorFile, recording: RecordedReadings) -> MonitorFile:
    """A file for the targets of a recording: rules about some targets are about all of those that were recorded."""
    if recording.own:
        return config.model_copy(update={"interval": recording.period_s})
    targets = [WatchedTarget(name=name, url="http://recorded.invalid") for name in recording.targets]
    alerts = [rule.model_copy(update={"targets": []}) for rule in config.alerts]
    return config.model_copy(update={"targets": targets, "alerts": alerts, "interval": recording.period_s})


def from_points(
    name: str, points: Iterable[tuple[str, Watched | None, float, float]], period_s: float | None = None
) -> RecordedReadings:
    """A recording of single values: target, metric (None for `up`), seconds since the epoch, and the value.

    Without a period it is the most frequent distance between two points of a series. Of several values in a period the
    mean counts. `UsageError` when there are none, or far too many periods.
    """
    series: dict[tuple[str, Watched | None], list[tuple[float, float]]] = {}
    for target, metric, at_s, value in points:
        if math.isfinite(value) and math.isfinite(at_s):  # tools write NaN for what they do not know
            series.setdefault((target, metric), []).append((at_s, value))
    if not series:
        raise UsageError(f"{name} has no values", code="M006")
    for values in series.values():
        values.sort()
    period_s = period_s or _usual_distance(series.values())
    first_s = min(values[0][0] for values in series.values())
    recording = RecordedReadings(name, first_s - period_s, period_s, sorted({target for target, _ in series}))
    if (max(values[-1][0] for values in series.values()) - first_s) / period_s > MOST_ROUNDS:
        raise UsageError(f"{name} is about more than {MOST_ROUNDS:,} periods of {period_s:g} s", code="M006")
    means: dict[tuple[int, str, Watched | None], tuple[float, int]] = {}
    for (target, metric), values in series.items():
        for at_s, value in values:
            key = round((at_s - first_s) / period_s), target, metric
            total, count = means.get(key, (0.0, 0))
            means[key] = total + value, count + 1
    for (number, target, metric), (total, count) in means.items():
        _add(recording, number, target, metric, total / count)
    return recording


def _usual_distance(series: Iterable[Sequence[tuple[float, float]]]) -> float:
    counts: dict[float, int] = {}
    for values in series:
        for (before_s, _), (at_s, _) in pairwise(values):
            distance_s = round(at_s - before_s, 3)
            if distance_s > 0:
                counts[distance_s] = counts.get(distance_s, 0) + 1
    return max(counts, key=lambda distance_s: (counts[distance_s], -distance_s), default=10.0)


def _add(recording: RecordedReadings, number: int, target: str, metric: Watched | None, value: float) -> None:
    reading = recording.rounds.setdefault(number, {}).setdefault(target, SourceReading())
    if metric is None:
        reading.up, reading.health = value >= 0.5, "down" if value < 0.5 else ""
    else:
        reading.figures[metric] = value


def silent(config: MonitorFile) -> Mapping[str, SourceReading]:
    """A round in which nobody says anything."""
    return {thing.name: SourceReading() for thing in config.watched}
