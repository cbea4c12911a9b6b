"""The alerts of objectives: told when an allowance is used up so fast that it does not last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.objectives import BurnLevel, Objective, ObjectiveKind
from dbz.monitor.rules.alert import Alert
from dbz.monitor.rules.alerts import AlertEvent, AlertStanding, OutageTracker
from dbz.monitor.rules.burn import MINUTE_S, MinuteCounts
from dbz.monitor.rules.notices import STILL_FIRING, was_over
from dbz.monitor.sources.reading import SourceReading
from dbz.monitor.store.store import Notice
from dbz.units import format_days, format_duration, format_number

_KEEP_FIRING_S = 300.0
"""What comes and goes within so long is one alert."""


@dataclass(frozen=True)
class ObjectiveMinute:
    """What was counted for an objective of a target in a minute: what is kept over a restart."""

    objective: str
    """As its file names the budget."""
    target: str
    minute: int
    """Since the epoch."""
    bad: float
    total: float


@dataclass(kw_only=True)
class BurnAlert(Alert):
    """One level of an objective of one target."""

    objective: Objective
    level: BurnLevel

    def notice(self, event: str, now_s: float) -> Notice:
        """What is said of it."""
        standing, entry, level = self.standing, self.objective.entry, self.level
        burn = standing.value or 0.0
        over = was_over(event, standing)
        said = over or (f"is used up {format_number(burn)} times as fast as it lasts" if burn >= 1 else "lasts again")
        about = f"{self.objective} in {format_days(entry.period)}"
        if event != AlertEvent.RESOLVED:
            windows = f"{format_days(level.long_s)} and {format_duration(level.short_s)}"
            said += f" (alert beyond {format_number(level.factor)} times in {windows})"
            said += f", all of it within {format_days(entry.period / burn)}" if burn > 1 else ""
        lasted = f", for {format_duration(round(now_s - standing.since_s))}" if event == STILL_FIRING else ""
        return Notice(
            type=self.type,
            target=self.target,
            severity=self.severity,
            event=str(event),
            text=f"{self.type} {event}: {about} of {self.target} {said}{lasted}",
            value=standing.value,
            threshold=level.factor,
            since_s=standing.since_s,
            message="" if event == AlertEvent.RESOLVED else entry.message,
            runbook="" if event == AlertEvent.RESOLVED else entry.runbook,
        )


class ObjectiveRules:
    """Follows one objective of one target; `alerts` are its alerts, as they are."""

    def __init__(
        self,
        objective: Objective,
        target: str,
        labels: Mapping[str, str],
        period_s: float,
        standings: Mapping[tuple[str, str], AlertStanding],
        minutes: Iterable[ObjectiveMinute],
    ) -> None:
        self._objective, self._target, self._period_s = objective, target, period_s
        own = [one for one in minutes if (one.objective, one.target) == (objective.entry.budget, target)]
        longest_s = max(level.long_s for level in objective.levels)
        self._counts = MinuteCounts(longest_s, ((one.minute, one.bad, one.total) for one in own))
        self._trackers = {
            level.type: OutageTracker(0.0, standings.get((target, level.type)), keep_firing_s=_KEEP_FIRING_S)
            for level in objective.levels
        }
        self.alerts = [
            BurnAlert(
                type=level.type,
                target=target,
                severity=level.severity,
                labels={**labels, **objective.entry.labels},
                standing=self._trackers[level.type].standing,
                objective=objective,
                level=level,
            )
            for level in objective.levels
        ]

    def update(self, now_s: float, reading: SourceReading) -> None:
        """Take a reading in; what it does not tell begins no alert and ends none."""
        counted = counts_of(self._objective, reading, self._period_s)
        minute = int(now_s // MINUTE_S)
        if counted is not None:
            self._counts.add(minute, *counted)
        for alert in self.alerts:
            burn = None if counted is None else self._burn(alert.level, minute)
            if burn is not None:
                alert.standing.value = burn
            burning = None if counted is None else burn is not None and burn > alert.level.factor
            alert.event = self._trackers[alert.type].update(now_s, burning)

    def minute(self) -> ObjectiveMinute | None:
        """What must be kept of the newest minute."""
        last = self._counts.last()
        return None if last is None else ObjectiveMinute(self._objective.entry.budget, self._target, *last)

    def _burn(self, level: BurnLevel, minute: int) -> float | None:
        """How many times as fast as allowed, in the window in which it is slower; None with too little to judge by.

        Of the time before the first count nothing has been used up: a new monitor does not take minutes for days.
        """
        shares = []
        for window_s in (level.long_s, level.short_s):
            minutes = int(window_s // MINUTE_S)
            bad, total = self._counts.after(minute - minutes)
            if total <= 0 or (window_s == level.long_s and total < self._enough(level)):
                return None
            shares.append(bad / total * min(self._counts.covered(minute) / minutes, 1.0))
        return min(shares) / self._objective.allowed

    def _enough(self, level: BurnLevel) -> float:
        """How many events the long window must have."""
        if self._objective.kind is ObjectiveKind.UPTIME:
            return level.short_s / self._period_s
        return self._objective.entry.min_requests


def counts_of(objective: Objective, reading: SourceReading, period_s: float) -> tuple[float, float] | None:
    """The bad events and all events of a period; None where the reading does not tell."""
    if objective.kind is ObjectiveKind.UPTIME:
        return None if reading.up is None else (float(not reading.up), 1.0)
    if objective.limit_ms is not None:
        return None if reading.durations is None else reading.durations.slower_than(objective.limit_ms / 1000)
    per_s = reading.figures.get(Watched.REQUESTS)
    if per_s is None:
        return None
    share = reading.figures.get(Watched.ERROR_RATE)
    if share is None:
        return (0.0, 0.0) if per_s == 0 else None
    return share * per_s * period_s, per_s * period_s
