"""Which channels an alert goes to, and when it is told again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dbz.config.monitor.channels import LOG
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.routes import AlertRoute, MuteTime

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def route_of(config: MonitorFile, type_: str, severity: str, target: str) -> AlertRoute:
    """The first route that fits an alert; without one it goes to the log."""
    for route in config.routes:
        if all(not wanted or has in wanted for wanted, has in _matches(route, type_, severity, target)):
            return route
    return AlertRoute(to=[LOG])


def _matches(route: AlertRoute, type_: str, severity: str, target: str) -> Sequence[tuple[Sequence[str], str]]:
    return ((route.type, type_), (route.severity, severity), (route.target, target))


def is_muted(mutes: Sequence[MuteTime], severity: str, now: datetime) -> bool:
    """Whether alerts of a severity are kept to the log at a moment, by the clock that `now` is of."""
    return any(severity in mute.severity and _covers(mute, now) for mute in mutes)


def _covers(mute: MuteTime, now: datetime) -> bool:
    clock = f"{now:%H:%M}"
    if mute.begin <= mute.end:
        return mute.begin <= clock < mute.end and _on(mute, now)
    if clock >= mute.begin:
        return _on(mute, now)
    return clock < mute.end and _on(mute, now - timedelta(days=1))


def _on(mute: MuteTime, day: datetime) -> bool:
    return not mute.days or _DAYS[day.weekday()] in mute.days
