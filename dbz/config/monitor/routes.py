"""Which alerts go where, together with which others, and when they are kept to the log."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from dbz.config.monitor.fields import Severity
from dbz.config.monitor.matching import AlertMatcher
from dbz.config.source.model import Duration, Strict

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_GROUP_WAIT_S, _GROUP_INTERVAL_S = 30.0, 300.0


class AlertRoute(AlertMatcher):
    """Which alerts go where; the first route that fits an alert is its only one."""

    to: list[str] = Field(min_length=1)
    repeat: Duration = 4 * 3600.0
    """After how long an alert that goes on is told again."""
    group_by: list[str] | None = None
    """Alerts with the same values of these (`target`, `type`, `severity` or labels) are told in one message; with `[]`
    all alerts of the route [default: each alert is a message]."""
    group_wait: Duration | None = None
    """How long the first alert of a group waits for others [default: 30s with `group_by`]."""
    group_interval: Duration | None = None
    """How long what is new in a group that was told waits for more [default: 5m with `group_by`]."""

    @model_validator(mode="after")
    def _waits_are_of_groups(self) -> AlertRoute:
        if self.group_by is None and (self.group_wait is not None or self.group_interval is not None):
            raise ValueError("group_wait and group_interval need group_by; write for example group_by: [target]")
        return self

    def waits_s(self) -> tuple[float, float]:
        """How long a new group waits, and then what is new in it; seconds."""
        if self.group_by is None:
            return 0.0, 0.0
        wait = _GROUP_WAIT_S if self.group_wait is None else self.group_wait
        return wait, _GROUP_INTERVAL_S if self.group_interval is None else self.group_interval


class Inhibition(Strict):
    """While an alert of `source` is on, those of `target` are kept to the log: what follows from it is not told too."""

    source: AlertMatcher
    target: AlertMatcher
    equal: list[str] = Field(default_factory=lambda: ["target"])
    """Only where both have the same values of these."""


def _clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise ValueError(f"'{text}' is not a time of day; write for example 22:00")
    return text


def known_zone(text: str) -> str:
    """The name of a time zone; `ValueError` for any other text."""
    try:
        ZoneInfo(text)
    except (ValueError, OSError, LookupError) as error:
        raise ValueError(f"'{text}' is not a time zone; write for example Europe/Amsterdam or UTC") from error
    return text


TimeOfDay = Annotated[str, AfterValidator(_clock)]
Zone = Annotated[str, AfterValidator(known_zone)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


_MUTED: tuple[Severity, ...] = ("info", "warning")


class MuteTime(AlertMatcher):
    """When alerts are kept to the log; critical ones only where `severity` says so."""

    begin: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")
    """Earlier than `from` for a time that goes over midnight, which belongs to the day that it begins on."""
    days: list[Day] = Field(default_factory=list)
    zone: Zone | None = None
    """Whose clock it is by, such as Europe/Amsterdam [default: this machine's]."""
    severity: list[Severity] = Field(default_factory=lambda: list(_MUTED))
