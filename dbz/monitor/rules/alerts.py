"""When an alert begins and ends, from the readings of one rule: no clock, no file, no network.

    ok ── the condition holds, not long enough ──> pending ── long enough ──> firing
    firing ── it is over for `keep_firing_for` ──> ok

A reading that is missing is neither for nor against: a silence begins no alert, and ends none. Readings from before a
gap, in which the monitor slept or was not running, are not put together with those after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dbz.config.grammar.conditions import Condition
from dbz.config.grammar.windows import ConditionFollower

GAP_PERIODS = 3.5
"""A pause of more periods than this is a gap."""


class AlertState(StrEnum):
    """Where an alert is."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"


class AlertEvent(StrEnum):
    """What people are told of."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass
class AlertStanding:
    """Where one alert of one target is: what is kept over a restart."""

    state: AlertState = AlertState.OK
    since_s: float = 0.0
    """When it came into this state, in seconds since the epoch."""
    value: float | None = None
    """The newest reading, in the unit of the condition."""
    read_s: float = 0.0
    """When that was."""
    over_since_s: float | None = None
    """Since when a firing alert is over, while it is kept firing."""
    ended_s: float = 0.0
    """When it was over last."""
    told_since_s: float = 0.0
    """`since_s` of the time that people were told has begun, and not that it is over; 0 when there is none."""
    told_s: float = 0.0
    """When people were told of it last."""
    told_to: list[str] = field(default_factory=list)
    """The channels that were told that it began: they are told that it is over."""
    owed_s: float = 0.0
    """Since when there is something to tell of it that waits for its group; 0 when there is nothing."""

    def to_row(self) -> dict[str, Any]:
        """As plain data."""
        return {**self.__dict__, "state": self.state.value}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> AlertStanding:
        """What `to_row` gave."""
        return cls(**{**row, "state": AlertState(row["state"])})


class AlertTracker:
    """Follows one rule of one target."""

    def __init__(
        self,
        condition: Condition,
        period_s: float,
        *,
        resolve: Condition | None = None,
        keep_firing_s: float = 0.0,
        standing: AlertStanding | None = None,
    ) -> None:
        self._period_s, self._keep_firing_s = period_s, keep_firing_s
        self._breaches = ConditionFollower(condition, period_s)
        self._over = ConditionFollower(resolve or condition.opposite(), period_s)
        self.standing = standing or AlertStanding()

    def update(self, now_s: float, value: float | None) -> AlertEvent | None:
        """Take in a reading, None for a missing one; what people must be told, if anything.

        `now_s` is in seconds since the epoch, and never goes back: the caller's clock sees to that.
        """
        standing = self.standing
        if standing.read_s and now_s - standing.read_s > GAP_PERIODS * self._period_s:
            self._breaches.window.forget()
            self._over.window.forget()
            standing.over_since_s = None
        breaching, is_over = self._breaches.add(value), self._over.add(value)
        if breaching is not None:
            standing.value, standing.read_s = value, now_s
        if standing.state is AlertState.FIRING:
            return self._while_firing(now_s, is_over)
        if self._breaches.window.met:
            return self._enter(AlertState.FIRING, now_s, AlertEvent.FIRING)
        if breaching is not None:
            wished = AlertState.PENDING if breaching else AlertState.OK
            if wished is not standing.state:
                self._enter(wished, now_s)
        return None

    def _while_firing(self, now_s: float, is_over: bool | None) -> AlertEvent | None:
        standing = self.standing
        if is_over is None:
            return None
        if not (is_over and self._over.window.met):
            standing.over_since_s = None
            return None
        if standing.over_since_s is None:
            standing.over_since_s = now_s
        if now_s - standing.over_since_s < self._keep_firing_s:
            return None
        return self._enter(AlertState.OK, now_s, AlertEvent.RESOLVED)

    def _enter(self, state: AlertState, now_s: float, event: AlertEvent | None = None) -> AlertEvent | None:
        self.standing.state, self.standing.since_s, self.standing.over_since_s = state, now_s, None
        if event is AlertEvent.RESOLVED:
            self.standing.ended_s = now_s
        if state is AlertState.OK:
            self._breaches.window.forget()  # what was before is told, and over
        return event


class OutageTracker:
    """Follows something that should always be well: its outage is an alert once it has lasted for `after_s`."""

    def __init__(self, after_s: float, standing: AlertStanding | None = None, *, keep_firing_s: float = 0.0) -> None:
        self._after_s, self._keep_firing_s = after_s, keep_firing_s
        self.standing = standing or AlertStanding()

    def update(self, now_s: float, is_out: bool | None) -> AlertEvent | None:
        """Take in whether it is out, None when that is not known; what people must be told, if anything."""
        standing = self.standing
        if is_out is None:
            return None
        standing.read_s = now_s
        if is_out:
            standing.over_since_s = None
        else:
            was_firing = standing.state is AlertState.FIRING
            if was_firing and self._keep_firing_s:
                standing.over_since_s = standing.over_since_s or now_s
                if now_s - standing.over_since_s < self._keep_firing_s:
                    return None
            if standing.state is not AlertState.OK:
                standing.state, standing.since_s, standing.over_since_s = AlertState.OK, now_s, None
            if was_firing:
                standing.ended_s = now_s
            return AlertEvent.RESOLVED if was_firing else None
        if standing.state is AlertState.OK:
            standing.state, standing.since_s = AlertState.PENDING, now_s
        if standing.state is AlertState.PENDING and now_s - standing.since_s >= self._after_s:
            standing.state = AlertState.FIRING  # since when it has been out is what matters
            return AlertEvent.FIRING
        return None
