"""Wall clocks of time zones: when they show a time, and when quiet hours end, also where the clock is changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class QuietHours:
    """From `start` to `end` of a wall clock, over midnight when `end` is not later; the two differ.

    A night is one piece. A time that the clock shows twice begins it the first and ends it the last time; one that the
    clock leaves out counts as the moment at which it is left out.
    """

    start: time
    end: time

    def until(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet that `now` falls into ends, in UTC; None when `now` is not quiet."""
        ends = self._end_of(now, zone)
        while ends is not None:
            longer = self._end_of(ends, zone)
            if longer is None:
                break
            ends = longer
        return ends

    def _end_of(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """The end of a night that `now` is in. Nights touch where the clock leaves a whole day out."""
        today = now.astimezone(zone).date()
        days = (today + number * _DAY for number in range(-2, 2))
        nights = (self._night(day, zone) for day in days)
        return max((end for start, end in nights if start <= now < end), default=None)

    def _night(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        last_day = day if self.start < self.end else day + _DAY
        start = instant(datetime.combine(day, self.start), zone)
        return start, instant(datetime.combine(last_day, self.end), zone, last=True)


def instant(shown: datetime, zone: ZoneInfo, *, last: bool = False) -> datetime:
    """When the clock of a zone shows `shown` (naive) for the first or the `last` time, in UTC.

    For a time that it leaves out, the moment at which it does.
    """
    first = shown.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = shown.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first <= second:
        return second if last else first
    # Left out: what `fold` means is then the other way round, and the clock jumps between the two (PEP 495).
    return _jump(second, first, zone)


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo | None:
    """The IANA time zone of this name; None when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The moment between two at which the zone's offset changes."""
    old = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) / 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after
