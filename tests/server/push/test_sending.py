"""Pushes and mails of a running server: to whom, when, how often."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import httpx
import orjson
import pytest

from tests.server.clients import SignIn
from tests.server.push.stage import PushStage, android_of, prefers, quiet_now, register, token_of, until

pytestmark = pytest.mark.anyio
COMMENT = {"post_title": "My racket", "author_name": "Ada", "content": "nice"}


async def test_all_devices_of_a_member_hear_of_it(sign_in: SignIn, stage: PushStage) -> None:
    """In the member's language, and nobody else's devices."""
    user, other = await sign_in("user0010"), await sign_in("user0011")
    tokens = [token_of("user0010"), token_of("user0010", 1), android_of("user0010")]
    for token in tokens:
        await register(user, token)
    await register(other, token_of("user0011"))
    await prefers(user, language="ko")
    stage.happens("post.commented", ["user0010"], **COMMENT)
    pushes = await until(lambda: pushes if len(pushes := stage.stand_in.received()) >= 3 else None)
    assert {push["token"] for push in pushes} == {*tokens}
    assert {(push["title"], push["body"]) for push in pushes} == {("My racket에 새 댓글", "Ada: nice")}


async def test_a_night_makes_one_push_in_the_morning(sign_in: SignIn, stage: PushStage) -> None:
    """Not forty; nothing before; what is urgent passes, but not what a member only calls so."""
    user, friend = await sign_in("user0012"), await sign_in("user0013")
    token = token_of("user0012")
    await register(user, token)
    await prefers(user, quiet_hours=quiet_now())
    for number in range(40):
        stage.happens("post.commented", ["user0012"], **{**COMMENT, "post_title": f"Post {number}"})
    await friend.post("/api/notifications", {"user_id": "user0012", "type": "game.cancelled", "title": "Not urgent"})
    await until(lambda: stage.held("user0012") == 41)
    stage.happens("game.cancelled", ["user0012"], game_title="Tonight")
    (urgent,) = await until(lambda: stage.stand_in.received(token))
    assert urgent["title"] == "Tonight does not take place"
    assert urgent["payload"]["aps"]["interruption-level"] == "time-sensitive"
    stage.time_passes()
    morning = await until(lambda: stage.stand_in.received(token)[1:])
    await until(lambda: stage.held("user0012") == 0)
    assert [push["title"] for push in morning] == ["41 notifications"]
    assert "Not urgent" in morning[0]["body"] or "New comment on Post" in morning[0]["body"]


async def test_what_could_not_be_sent_in_time_waits_for_the_morning(sign_in: SignIn, stage: PushStage) -> None:
    """It was due before the quiet hours, and the provider comes back in the middle of them; what is urgent passes."""
    user = await sign_in("user0029")
    await register(user, token_of("user0029"))
    stage.stand_in.control(faults=[{"kind": "away", "provider": "apns", "times": 1, "seconds": 2}])
    stage.happens("post.commented", ["user0029"], **COMMENT)
    await until(lambda: sum(count for what, count in stage.stand_in.answered().items() if what.startswith("apns 503")))
    await prefers(user, quiet_hours=quiet_now())
    stage.happens("game.cancelled", ["user0029"], game_title="Tonight")
    (urgent,) = await until(lambda: stage.stand_in.received(token_of("user0029")))
    assert urgent["title"] == "Tonight does not take place"
    promised = stage.store["outbox"]
    waiting = await until(lambda: promised.find_one({"job.user_id": "user0029", "job.kind": "send"}))
    await until(lambda: _hours_left(promised.find_one({"_id": waiting["_id"]})) > 0.9)
    assert len(stage.stand_in.received(token_of("user0029"))) == 1


def _hours_left(promise: dict[str, Any]) -> float:
    return float(promise["job"]["due_s"] - time.time()) / 3600 if "due_s" in promise["job"] else 0.0


async def test_what_would_come_too_late_is_dropped(sign_in: SignIn, stage: PushStage) -> None:
    """In the morning nothing is told that is of no use any more."""
    user = await sign_in("user0014")
    await register(user, token_of("user0014"))
    await prefers(user, quiet_hours=quiet_now())
    stage.happens("post.commented", ["user0014"], **COMMENT)
    stage.happens("post.commented", ["user0014"], **{**COMMENT, "post_title": "Still good"})
    await until(lambda: stage.held("user0014") == 2)
    stage.store["held_notifications"].update_one(
        {"user_id": "user0014", "items.title": "New comment on My racket"}, {"$set": {"items.$.expires_s": 1.0}}
    )
    stage.time_passes()
    (push,) = await until(lambda: stage.stand_in.received(token_of("user0014")))
    assert push["title"] == "New comment on Still good"


async def test_preferences_hold_for_each_kind_and_way(sign_in: SignIn, stage: PushStage) -> None:
    """No push of one kind, a mail of it; not even the inbox and the socket of another."""
    user = await sign_in("user0015")
    socket = await user.socket()
    await register(user, token_of("user0015"))
    await user.http.put("/api/me/email", json={"email": "u15@example.com"})
    told = await prefers(
        user,
        kinds={
            "post.commented": {"push": False, "email": True},
            "game.cancelled": {"in_app": False},
            "*": {"email": False},
        },
    )
    assert told["in_force"]["kinds"]["post.commented"] == {"push": False, "email": True, "in_app": True}
    stage.happens("post.commented", ["user0015"], **COMMENT)
    await until(lambda: stage.postbox.of("u15@example.com"))
    stage.happens("game.cancelled", ["user0015"], game_title="Tonight")
    (push,) = await until(lambda: stage.stand_in.received(token_of("user0015")))
    assert push["title"] == "Tonight does not take place"
    of_this_test = {"post.commented", "game.cancelled"}  # others remind all members of the club
    seen = [event["type"] for event in socket.of("notification:new")]
    listed = [item["type"] for item in (await user.get("/api/notifications")).json()["items"]]
    assert [kind for kind in seen if kind in of_this_test] == ["post.commented"]
    assert [kind for kind in listed if kind in of_this_test] == ["post.commented"]
    assert len(stage.postbox.of("u15@example.com")) == 1


async def test_a_device_belongs_to_who_signed_in_last(sign_in: SignIn, stage: PushStage) -> None:
    """Also across clubs; a token of APNs is the same in capitals; nobody takes another's device away."""
    first, second = await sign_in("user0016"), await sign_in("user0216")
    device = await register(first, token_of("user0016"), time_zone="Asia/Seoul", app_version="1.2")
    assert device["token"] == "…000000" and device["time_zone"] == "Asia/Seoul"
    assert (await first.get("/api/me/notification-preferences")).json()["in_force"]["time_zone"] == "Asia/Seoul"
    moved = await register(second, token_of("user0016").upper())
    assert moved["id"] == device["id"]
    assert (await first.get("/api/me/devices")).json()["items"] == []
    assert (await first.http.delete(f"/api/me/devices/{device['id']}")).status_code == 404
    stage.happens("post.commented", ["user0016"], **COMMENT)
    stage.happens("post.commented", ["user0216"], "club01", **{**COMMENT, "post_title": "Yours"})
    await until(lambda: stage.stand_in.received())
    await asyncio.sleep(0.3)
    assert [push["title"] for push in stage.stand_in.received()] == ["New comment on Yours"]
    assert (await second.http.delete(f"/api/me/devices/{device['id']}")).status_code == 200
    assert (await second.get("/api/me/devices")).json()["items"] == []


async def test_dead_tokens_are_forgotten(sign_in: SignIn, stage: PushStage) -> None:
    """For good when the provider is certain, and when it does not know the token until the app registers again."""
    user = await sign_in("user0017")
    ios, android, newer, foreign = (
        token_of("user0017"), android_of("user0017"), token_of("user0017", 1), android_of("user0017", 1)
    )  # fmt: skip
    for token in (ios, android, newer, foreign):
        await register(user, token)
    stage.stand_in.control(dead={ios: 2**42, android: 0, newer: 1})
    stage.store["devices"].update_one({"token": foreign}, {"$set": {"token": "no token"}})
    stage.happens("post.commented", ["user0017"], **COMMENT)

    def left() -> list[dict[str, Any]]:
        return list(stage.store["devices"].find({"user_id": "user0017"}))

    await until(lambda: len(left()) == 2 and any("refused" in row for row in left()))
    assert {row["token"]: row.get("refused") for row in left()} == {newer: None, "no token": "INVALID_ARGUMENT"}
    stage.stand_in.control(forget=True)
    stage.happens("post.commented", ["user0017"], **COMMENT)
    await until(lambda: stage.stand_in.received())
    assert [push["token"] for push in stage.stand_in.received()] == [newer]
    assert not stage.redis.xlen("queue:dead")


async def test_a_provider_that_is_away_gets_it_later(sign_in: SignIn, stage: PushStage) -> None:
    """However often it fails, once in the end, and no dead letter."""
    user = await sign_in("user0018")
    await register(user, token_of("user0018"))
    await register(user, android_of("user0018"))
    stage.stand_in.control(faults=[{"kind": "broken", "provider": "apns", "times": 8}])
    stage.happens("post.commented", ["user0018"], **COMMENT)
    await until(lambda: len(stage.stand_in.received()) == 2, within_s=30)
    await asyncio.sleep(0.3)
    assert sorted(push["provider"] for push in stage.stand_in.received()) == ["apns", "fcm"]
    assert not stage.redis.xlen("queue:dead")


async def test_a_provider_that_asks_for_it_is_left_alone(sign_in: SignIn, stage: PushStage) -> None:
    """By all processes, for as long as its Retry-After says; then everything comes."""
    user = await sign_in("user0019")
    await register(user, android_of("user0019"))
    stage.stand_in.control(faults=[{"kind": "quota", "provider": "fcm", "times": 1, "seconds": 2}])
    stage.happens("post.commented", ["user0019"], **COMMENT)
    await until(lambda: stage.stand_in.answered().get("fcm 429 QUOTA_EXCEEDED"))
    await until(lambda: stage.redis.pttl("push:fcm:pause") > 0)
    for _ in range(5):
        stage.happens("post.commented", ["user0019"], **COMMENT)
    await until(lambda: len(stage.stand_in.received()) == 6, within_s=30)
    assert stage.stand_in.answered() == {"fcm 429 QUOTA_EXCEEDED": 1, "fcm 200": 6}


async def test_an_answer_that_is_lost_doubles_nothing_on_the_device(sign_in: SignIn, stage: PushStage) -> None:
    """It is sent again, because nobody knows; the device shows one."""
    user = await sign_in("user0020")
    tokens = token_of("user0020"), android_of("user0020")
    for token in tokens:
        await register(user, token)
    stage.stand_in.control(faults=[{"kind": "lost", "provider": each, "seconds": 0} for each in ("apns", "fcm")])
    stage.happens("post.commented", ["user0020"], **COMMENT)
    await until(lambda: len(stage.stand_in.received()) == 4)
    assert [len(stage.stand_in.shown(token)) for token in tokens] == [1, 1]


async def test_what_a_provider_refuses_is_a_dead_letter(sign_in: SignIn, stage: PushStage) -> None:
    """With the reason, and without the token."""
    user = await sign_in("user0021")
    await register(user, token_of("user0021"))
    stage.stand_in.control(faults=[{"kind": "login", "provider": "apns", "times": 10}])
    stage.happens("post.commented", ["user0021"], **COMMENT)
    ((_, letter),) = await until(lambda: stage.redis.xrange("queue:dead"), within_s=30)
    assert letter[b"reason"] == b"MessageRefusedError: ExpiredProviderToken (status 403)"
    assert orjson.loads(letter[b"job"])["kind"] == "send" and token_of("user0021").encode() not in letter[b"job"]


async def test_a_mail_ends_with_one_click(sign_in: SignIn, stage: PushStage, anyio_backend: str) -> None:
    """Without signing in; opening the link alone changes nothing; a changed link is worth nothing."""
    user = await sign_in("user0022")
    await user.http.put("/api/me/email", json={"email": "u22@example.com"})
    await prefers(user, kinds={"post.commented": {"email": True, "push": True}})
    stage.happens("post.commented", ["user0022"], **{**COMMENT, "content": "<script>alert(1)</script>\r\nBcc: x@y.z"})
    (mail,) = await until(lambda: stage.postbox.of("u22@example.com"))
    plain, html = mail.iter_parts()
    assert "<script>" in plain.get_content() and "<script>" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content() and mail["bcc"] is None
    link = str(mail["list-unsubscribe"]).strip("<>")
    assert link in plain.get_content() and link.startswith("https://club.example/api/notifications/unsubscribe?t=")
    path = link.removeprefix("https://club.example")
    form = {"List-Unsubscribe": "One-Click"}
    async with httpx.AsyncClient(base_url=stage.where.url, timeout=60) as anyone:
        page = await anyone.get(path)
        assert page.status_code == 200 and re.search(r'<form method="post">', page.text)
        assert "unsafe" not in page.headers["content-security-policy"]
        assert (await anyone.post(path)).status_code == 422
        for wrong in (path[:-1], path[:-1] + ("0" if path[-1] != "0" else "1"), path.partition("?")[0], f"{path}é"):
            assert (await anyone.post(wrong, data=form)).status_code == 404, wrong
        wishes = (await user.get("/api/me/notification-preferences")).json()
        assert wishes["kinds"]["post.commented"] == {"email": True, "push": True}
        for _ in range(2):
            assert (await anyone.post(path, data=form)).status_code == 200
    wishes = (await user.get("/api/me/notification-preferences")).json()
    assert wishes["kinds"]["post.commented"] == {"email": False, "push": True}


async def test_an_address_where_nobody_is_gets_no_more_mails(sign_in: SignIn, stage: PushStage) -> None:
    """Until the account has another one."""
    user = await sign_in("user0023")
    await user.http.put("/api/me/email", json={"email": "gone@example.com"})
    await prefers(user, kinds={"post.commented": {"email": True}})
    stage.postbox.refusals["gone@example.com"] = "550 5.1.1 no such user"
    stage.happens("post.commented", ["user0023"], **COMMENT)
    wishes = stage.store["notification_preferences"]
    await until(lambda: wishes.find_one({"_id": "user0023", "bounced": "gone@example.com"}))
    stage.postbox.refusals.clear()
    stage.happens("post.commented", ["user0023"], **COMMENT)
    await user.http.put("/api/me/email", json={"email": "back@example.com"})
    event = stage.happens("post.commented", ["user0023"], **COMMENT)
    await until(lambda: stage.store["notifications"].find_one({"_id": f"{event}:user0023", "delivered": True}))
    await until(lambda: stage.postbox.of("back@example.com"))
    assert not stage.postbox.of("gone@example.com") and not stage.redis.xlen("queue:dead")


async def test_figures_tell_what_went_out(sign_in: SignIn, stage: PushStage) -> None:
    """Sent and why not, how late, and what waits."""
    user = await sign_in("user0024")
    await register(user, token_of("user0024"))
    before = stage.metrics()
    stage.happens("post.commented", ["user0024"], **COMMENT)
    await until(lambda: stage.stand_in.received())
    name = 'dbz_push_outcomes_total{outcome="sent",provider="apns"}'
    await until(lambda: stage.metrics().get(name, 0) == before.get(name, 0) + 1)
    delays = 'dbz_push_delay_seconds_count{channel="push"}'
    await until(lambda: stage.metrics().get(delays, 0) == before.get(delays, 0) + 1)
    await prefers(user, quiet_hours=quiet_now())
    stage.happens("post.commented", ["user0024"], **COMMENT)
    await until(lambda: stage.metrics().get('dbz_push_waiting{channel="push"}', 0) >= 1)
    stage.time_passes()
    await until(lambda: stage.metrics()['dbz_push_waiting{channel="push"}'] == 0)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("devices", {"platform": "apns", "token": "zz" * 32}),
        ("devices", {"platform": "apns", "token": "ab" * 32 + "/../x"}),
        ("devices", {"platform": "web", "token": "ab" * 32}),
        ("devices", {"platform": "fcm", "token": "x" * 30, "time_zone": "../../etc/passwd"}),
        ("notification-preferences", {"quiet_hours": {"start": "22:00", "end": "22:00"}}),
        ("notification-preferences", {"quiet_hours": {"start": "24:00", "end": "07:00"}}),
        ("notification-preferences", {"time_zone": "Seoul"}),
        ("notification-preferences", {"kinds": {"a b": {"push": True}}}),
        ("notification-preferences", {"kinds": {"x": {"push": "yes"}}}),
        ("email", {"email": "a@b.c\r\nBcc: d@e.f"}),
        ("email", {"email": "a@b, c@d"}),
    ],
)
async def test_what_makes_no_sense_is_refused(sign_in: SignIn, path: str, body: Any) -> None:
    """With 422, and where it is."""
    user = await sign_in("user0025")
    method = "POST" if path == "devices" else "PUT"
    answer = await user.http.request(method, f"/api/me/{path}", json=body)
    assert answer.status_code == 422 and answer.json()["error"]["problems"], answer.text
