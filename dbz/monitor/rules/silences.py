"""Silences: alerts that somebody knows of, and wants to hear nothing about for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dbz.config.monitor.matching import AlertMatcher


@dataclass(frozen=True)
class Silence:
    """Alerts that nobody is told of between two moments, in seconds since the epoch."""

    id: int
    matcher: AlertMatcher
    from_s: float
    until_s: float
    why: str = ""
    by: str = ""
    """Who added it."""
    removed_s: float | None = None
    """When it was ended before its time."""

    def covers(self, alert: Mapping[str, str], now_s: float) -> bool:
        """Whether an alert with these keys is not told now."""
        return self.is_on(now_s) and self.matcher.fits(alert)

    def is_on(self, now_s: float) -> bool:
        """Whether it is in force."""
        return self.from_s <= now_s < (self.until_s if self.removed_s is None else min(self.until_s, self.removed_s))

    def __str__(self) -> str:
        until = f"{datetime.fromtimestamp(self.until_s):%Y-%m-%d %H:%M}"
        return f"silence {self.id} until {until}{f': {self.why}' if self.why else ''}"
