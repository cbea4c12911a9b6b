"""Quiet hours against wall clocks that are read minute by minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dbz.server.notification.wall_clock import QuietHours, instant, zone_of

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
# Changes of the clock by an hour, by half an hour, at midnight, twice in Ramadan, of a whole day, and none.
ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Africa/Casablanca", "Asia/Seoul",
    "Pacific/Apia", "Asia/Kathmandu", "America/Sao_Paulo", "Antarctica/Troll", "Asia/Gaza", "UTC",
)  # fmt: skip
CLOCKS = st.times().map(lambda each: each.replace(second=0, microsecond=0))


@dataclass(frozen=True)
class Clock:
    """The clock of a zone around a moment, as somebody has read it every minute."""

    first: dict[datetime, datetime]
    """{what it shows: when it does so first}, in the order of time."""
    last: dict[datetime, datetime]

    def when(self, shown: datetime, *, last: bool) -> datetime:
        """When the clock shows a time, or, if it never does, when it is past it first."""
        exact = (self.last if last else self.first).get(shown)
        return exact or next(at for reads, at in self.first.items() if reads > shown)


@cache
def read_clock(zone: str, moment: datetime) -> Clock:
    """Read from four days before a moment to five days after it."""
    where, first, last = ZoneInfo(zone), dict[datetime, datetime](), dict[datetime, datetime]()
    for number in range(-4 * 24 * 60, 5 * 24 * 60):
        at = moment + number * MINUTE
        shown = at.astimezone(where).replace(tzinfo=None)
        first.setdefault(shown, at)
        last[shown] = at
    return Clock(first, last)


def quiet_by_reading(hours: QuietHours, zone: str, moment: datetime, now: datetime) -> datetime | None:
    """The end of the quiet that `now` is in, by reading the clock."""
    clock = read_clock(zone, moment)
    today = now.astimezone(ZoneInfo(zone)).date()
    ends: datetime | None = now
    found = None
    while ends is not None:
        at, ends = ends, None
        for day in (today + number * DAY for number in (-1, 0, 1)):
            until = day if hours.start < hours.end else day + DAY
            start = clock.when(datetime.combine(day, hours.start), last=False)
            end = clock.when(datetime.combine(until, hours.end), last=True)
            if start <= at < end:
                ends = found = max(ends or end, end)
    return found


def changes(zone: str, year: int) -> list[datetime]:
    """The hours of a year before which the clock of a zone is changed."""
    days = [datetime(year, 1, 1, tzinfo=UTC) + number * DAY for number in range(366)]
    where = ZoneInfo(zone)
    found = []
    for day in days:
        hours = [day + timedelta(hours=number) for number in range(25)]
        if day.astimezone(where).utcoffset() != hours[-1].astimezone(where).utcoffset():
            found += [
                b for a, b in pairwise(hours) if a.astimezone(where).utcoffset() != b.astimezone(where).utcoffset()
            ]
    return found


@cache
def moments(zone: str) -> tuple[datetime, ...]:
    """Moments near which clocks are changed, and some ordinary ones."""
    year = 2011 if zone == "Pacific/Apia" else 2017
    return (*changes(zone, year), datetime(year, 6, 15, 12, tzinfo=UTC))


@st.composite
def nights(draw: st.DrawFn) -> tuple[str, QuietHours, datetime, int]:
    zone = draw(st.sampled_from(ZONES))
    start, end = draw(st.tuples(CLOCKS, CLOCKS).filter(lambda pair: pair[0] != pair[1]))
    return zone, QuietHours(start, end), draw(st.sampled_from(moments(zone))), draw(st.integers(-1800, 1800))


def change(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[misc,arg-type]


@settings(max_examples=150, deadline=None)
@given(nights())
@example(("Europe/Berlin", QuietHours(time(22), time(2, 30)), change(2017, 3, 26, 1), -1))
@example(("Europe/Berlin", QuietHours(time(22), time(2, 30)), change(2017, 10, 29, 1), -15))
@example(("Pacific/Apia", QuietHours(time(22), time(7)), change(2011, 12, 30, 10), -1))
@example(("America/Sao_Paulo", QuietHours(time(0, 15), time(0, 45)), change(2017, 10, 15, 3), 0))
def test_quiet_ends_when_the_clock_says_so(drawn: tuple[str, QuietHours, datetime, int]) -> None:
    """Over midnight, in hours that come twice or not at all, and where a whole day is left out."""
    zone, hours, moment, minutes = drawn
    now = moment + minutes * MINUTE
    assert hours.until(now, ZoneInfo(zone)) == quiet_by_reading(hours, zone, moment, now)


@pytest.mark.parametrize("zone", ZONES)
def test_an_ordinary_night(zone: str) -> None:
    """From ten in the evening to seven in the morning, its end not included."""
    hours, where = QuietHours(time(22), time(7)), ZoneInfo(zone)
    ends = instant(datetime(2019, 6, 18, 7), where)
    for shown in ("2019-06-17T22:00", "2019-06-17T23:59", "2019-06-18T00:00", "2019-06-18T06:59"):
        assert hours.until(instant(datetime.fromisoformat(shown), where), where) == ends
    for shown in ("2019-06-17T21:59", "2019-06-18T07:00", "2019-06-18T12:00"):
        assert hours.until(instant(datetime.fromisoformat(shown), where), where) is None


def test_a_clock_that_jumps() -> None:
    """Half past two does not come on one Sunday of March, and twice on one of October."""
    berlin = ZoneInfo("Europe/Berlin")
    assert instant(datetime(2026, 3, 29, 2, 30), berlin) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert instant(datetime(2026, 3, 29, 2, 30), berlin, last=True) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert instant(datetime(2026, 10, 25, 2, 30), berlin) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instant(datetime(2026, 10, 25, 2, 30), berlin, last=True) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "/etc/passwd", "Europe", "", "a\x00b", "x" * 300])
def test_a_zone_that_is_none(name: str) -> None:
    """Whatever a client may send."""
    assert zone_of(name) is None
