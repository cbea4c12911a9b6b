"""Which channels an alert goes to, and which mute time covers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dbz.config.monitor.channels import LOG
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.routes import AlertRoute, MuteTime

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TO_LOG = AlertRoute(to=[LOG])


def route_of(config: MonitorFile, alert: Mapping[str, str]) -> AlertRoute:
    """The first route that fits an alert with these keys (severity, type, target, labels); else it goes to the log."""
    return next((route for route in config.routes if route.fits(alert)), _TO_LOG)


def mute_of(mutes: Sequence[MuteTime], alert: Mapping[str, str], now: datetime) -> MuteTime | None:
    """The mute time that keeps an alert to the log at a moment, by the clock that `now` is of or by its own zone."""
    return next((mute for mute in mutes if mute.fits(alert) and _covers(mute, now)), None)


def _covers(mute: MuteTime, now: datetime) -> bool:
    if mute.zone is not None:
        now = now.astimezone(ZoneInfo(mute.zone))
    clock = f"{now:%H:%M}"
    if mute.begin <= mute.end:
        return mute.begin <= clock < mute.end and _on(mute, now)
    if clock >= mute.begin:
        return _on(mute, now)
    return clock < mute.end and _on(mute, now - timedelta(days=1))


def _on(mute: MuteTime, day: datetime) -> bool:
    return not mute.days or _DAYS[day.weekday()] in mute.days
