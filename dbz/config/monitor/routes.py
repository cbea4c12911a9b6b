"""Which alerts go where, and when they are kept to the log."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dbz.config.model import Duration, Strict
from dbz.config.monitor.alerts import Severity

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class AlertRoute(Strict):
    """Which alerts go where; the first route that fits an alert is its only one."""

    severity: list[Severity] = Field(default_factory=list)
    type: list[str] = Field(default_factory=list)
    target: list[str] = Field(default_factory=list)
    to: list[str] = Field(min_length=1)
    repeat: Duration = 4 * 3600.0
    """After how long an alert that goes on is told again."""


def _clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise ValueError(f"'{text}' is not a time of day; write for example 22:00")
    return text


TimeOfDay = Annotated[str, AfterValidator(_clock)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


_MUTED: tuple[Severity, ...] = ("info", "warning")


class MuteTime(Strict):
    """When alerts are kept to the log; times are those of this machine's clock."""

    begin: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")
    """Earlier than `from` for a time that goes over midnight, which belongs to the day that it begins on."""
    days: list[Day] = Field(default_factory=list)
    severity: list[Severity] = Field(default_factory=lambda: list(_MUTED))
