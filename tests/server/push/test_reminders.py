"""Reminders by each member's clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.server.notification.schedules import Schedule
from tests.server.clients import SignIn, User
from tests.server.push.stage import PushStage, android_of, prefers, register, until

anyio = pytest.mark.anyio
ADMIN = "user0199"
PATH = "/api/notifications/reminders"


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(sorted(available_timezones())),
    day=st.dates(date(2010, 1, 1), date(2037, 12, 31)),
    clock=st.times().map(lambda each: each.replace(second=0, microsecond=0)),
)
def test_no_zone_reaches_a_time_before_the_first_or_after_the_last(zone: str, day: date, clock: time) -> None:
    """And there its clock shows that time, unless it is changed then."""
    schedule = Schedule("s", "c", "k", {}, clock, day)
    at = schedule.instant_in(ZoneInfo(zone))
    assert schedule.first <= at <= schedule.last + timedelta(hours=24 if zone.endswith("Kwajalein") else 0)
    shown = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert shown >= datetime.combine(day, clock)
    minute_before = (at - timedelta(minutes=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert minute_before < datetime.combine(day, clock)


@settings(max_examples=40, deadline=None)
@given(
    zone=st.sampled_from(sorted(available_timezones())),
    start=st.datetimes(datetime(2010, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
)
def test_the_evening_before_is_before(zone: str, start: datetime) -> None:
    """By the calendar of the zone."""
    schedule = Schedule("s", "c", "k", {}, time(18), None, start)
    at = schedule.instant_in(ZoneInfo(zone))
    assert schedule.first <= at < start
    assert (start.astimezone(ZoneInfo(zone)).date() - at.astimezone(ZoneInfo(zone)).date()).days in (1, 2, 0)


async def clocks(sign_in: SignIn, zones: dict[str, str]) -> dict[str, User]:
    """Members with a device each and these time zones."""
    users = {}
    for name, zone in zones.items():
        users[name] = await sign_in(name)
        await register(users[name], android_of(name), time_zone=zone)
    return users


def look(stage: PushStage) -> None:
    """An hour passes for the schedules."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    stage.store["notification_schedules"].update_many({"holder": ""}, {"$set": {"due_at": past}})


def told(stage: PushStage, name: str, title: str) -> int:
    return sum(push["title"] == title for push in stage.stand_in.received(android_of(name)))


@anyio
async def test_a_reminder_comes_when_a_members_clock_says_so(sign_in: SignIn, stage: PushStage) -> None:
    """To one whose clock is behind not yet, to one who travels east when he is there; to each once."""
    admin = await sign_in(ADMIN)
    users = await clocks(sign_in, {"user0030": "UTC", "user0031": "Etc/GMT+5", "user0032": "Etc/GMT-3"})
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}"
    planned = (await admin.post(PATH, {"title": "Nets up at eight", "at": at})).json()
    for name in ("user0030", "user0032"):
        await until(lambda name=name: told(stage, name, "Nets up at eight"))
    await until(lambda: stage.store["notification_schedules"].find_one({"holder": ""}))
    due_at = stage.store["notification_schedules"].find_one({"_id": planned["id"]})["due_at"]
    assert timedelta(minutes=50) < due_at - datetime.now(UTC) <= timedelta(hours=1)
    assert not told(stage, "user0031", "Nets up at eight")
    await prefers(users["user0031"], time_zone="UTC")
    look(stage)
    await until(lambda: told(stage, "user0031", "Nets up at eight"))
    look(stage)
    await asyncio.sleep(0.5)
    assert [told(stage, name, "Nets up at eight") for name in users] == [1, 1, 1]
    assert (await admin.http.delete(f"{PATH}/{planned['id']}")).status_code == 200
    assert (await admin.get(PATH)).json()["items"] == []


@anyio
async def test_a_cancelled_reminder_reaches_nobody_more(sign_in: SignIn, stage: PushStage) -> None:
    """And one whose time is over everywhere, or that is none, is refused; members remind nobody."""
    admin, member, stranger = await sign_in(ADMIN), await sign_in("user0033"), await sign_in("user0399")
    later = f"{datetime.now(UTC) + timedelta(hours=13):%Y-%m-%dT%H:%M}"
    planned = (await admin.post(PATH, {"title": "Later", "at": later})).json()
    assert planned["at"] == later
    assert (await member.post(PATH, {"title": "Mine", "at": later})).status_code == 403
    assert (await member.get(PATH)).status_code == 403
    assert (await stranger.http.delete(f"{PATH}/{planned['id']}")).status_code == 404
    for at in ("2020-01-01T18:00", "2027-02-30T18:00", "tomorrow", "2027-01-01T25:00"):
        assert (await admin.post(PATH, {"title": "x", "at": at})).status_code == 422, at
    assert (await admin.http.delete(f"{PATH}/{planned['id']}")).status_code == 200
    assert stage.store["notification_schedules"].count_documents({}) == 0


@anyio
async def test_players_hear_of_a_game_on_the_evening_before(sign_in: SignIn, stage: PushStage) -> None:
    """By their own clocks, in their language, with the start as their clock shows it; others hear nothing."""
    users = await clocks(sign_in, {"user0034": "Asia/Seoul", "user0035": "UTC"})
    await prefers(users["user0034"], language="ko")
    start = (datetime.now(UTC) + timedelta(days=3)).replace(hour=10, minute=0, second=0, microsecond=0)
    body = {"title": "Finals", "game_date": start.isoformat()}
    game = (await users["user0034"].post("/api/games", body)).json()
    schedules = stage.store["notification_schedules"]
    await until(lambda: schedules.find_one({"_id": f"{game['id']}:eve", "holder": ""}))
    assert not stage.stand_in.received()
    # Days pass: it starts tomorrow, and the evening is now.
    tomorrow, now = datetime.now(UTC) + timedelta(days=1), datetime.now(ZoneInfo("Asia/Seoul"))
    schedules.update_one({"_id": f"{game['id']}:eve"}, {"$set": {"starts_at": tomorrow, "clock": f"{now:%H:%M}"}})
    look(stage)
    (push,) = await until(lambda: stage.stand_in.received(android_of("user0034")))
    assert (push["title"], push["body"]) == ("내일 경기: Finals", "19:00 KST에 시작합니다.")
    schedules.update_one({"_id": f"{game['id']}:eve"}, {"$set": {"starts_at": datetime.now(UTC) - timedelta(hours=1)}})
    look(stage)
    await until(lambda: schedules.find_one({"_id": f"{game['id']}:eve"}) is None)
    assert len(stage.stand_in.received()) == 1
