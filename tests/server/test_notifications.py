"""Notifications: queued, delivered at least once, told once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from dbz.cache import TwoLayerCache
from tests.server.backend import Backend
from tests.server.clients import SignIn, eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
async def redis(backend: Backend) -> AsyncIterator[Redis]:
    """The Redis of the server."""
    async with Redis.from_url(backend.redis_url) as client:
        yield client


@pytest.fixture
async def database(backend: Backend) -> AsyncIterator[Any]:
    """The database of the server."""
    client: AsyncMongoClient[Any] = AsyncMongoClient(backend.mongo_uri)
    yield client["dbz"]
    await client.close()


def delivery(job_id: str, user_id: str = "user0131") -> dict[str, Any]:
    """A job as the server queues it."""
    event = {"id": job_id, "type": "t", "title": "x", "body": ""}
    return {"id": job_id, "kind": "deliver", "club_id": "club00", "user_id": user_id, "event": event}


async def test_a_comment_on_my_post_notifies_me(sign_in: SignIn) -> None:
    """With the words of the template; my own comments do not."""
    author, reader = await sign_in("user0130"), await sign_in("user0131")
    socket = await author.socket()
    post = (await author.post("/api/posts", {"title": "My racket", "content": "x"})).json()
    await author.post(f"/api/posts/{post['id']}/comments", {"content": "mine"})
    await reader.post(f"/api/posts/{post['id']}/comments", {"content": "nice"})
    (event,) = await socket.until("notification:new")
    assert (event["type"], event["title"]) == ("post.commented", "New comment on My racket")
    assert event["body"] == "Member 131: nice" and set(event) == {"id", "type", "title", "body", "timestamp"}


async def test_the_final_score_notifies_every_player(sign_in: SignIn) -> None:
    """Host and players, wherever they are connected; and it is in their inbox."""
    host, player = await sign_in("user0132"), await sign_in("user0133")
    game = (await host.post("/api/games", {"title": "Final", "game_date": "2026-12-24T10:00:00Z"})).json()
    await player.post(f"/api/games/{game['id']}/join")
    socket = await player.socket()
    await host.post(f"/api/games/{game['id']}/result", {"score": {"home": 21, "away": 12}})
    (event,) = await socket.until("notification:new")
    assert (event["title"], event["body"]) == ("Final score of Final", "21 : 12")

    async def in_inbox() -> bool:
        items = (await host.get("/api/notifications")).json()["items"]
        return any(item["type"] == "game.finished" and item["body"] == "21 : 12" for item in items)

    await eventually(in_inbox)


async def test_players_hear_that_a_game_is_about_to_start(sign_in: SignIn) -> None:
    """A reminder is scheduled when the game is planned (half an hour before; here that is now)."""
    host = await sign_in("user0134")
    socket = await host.socket()
    soon = datetime.now(UTC) + timedelta(minutes=30, seconds=1)
    await host.post("/api/games", {"title": "Soon", "game_date": soon.isoformat()})
    (event,) = await socket.until("notification:new")
    assert event["title"] == "Soon starts soon"


async def test_a_scheduled_notification_comes_at_its_time(sign_in: SignIn) -> None:
    """Not before."""
    sender, receiver = await sign_in("user0135"), await sign_in("user0136")
    socket = await receiver.socket()
    send_at = datetime.now(UTC) + timedelta(seconds=1.5)
    body = {"user_id": "user0136", "type": "t", "title": "later", "send_at": send_at.isoformat()}
    assert (await sender.post("/api/notifications", body)).status_code == 202
    (event,) = await socket.until("notification:new")
    assert event["timestamp"] / 1000 >= send_at.timestamp() - 0.05


async def test_a_job_that_is_handed_in_twice_is_told_once(sign_in: SignIn, redis: Redis) -> None:
    """Consumers are idempotent."""
    user = await sign_in("user0131")
    socket = await user.socket()
    for _ in range(3):
        await redis.xadd("queue:jobs", {"job": orjson.dumps(delivery("twice-1"))})
    await redis.xadd("queue:jobs", {"job": orjson.dumps(delivery("twice-2"))})

    def told() -> list[str]:
        return [event["id"] for event in socket.of("notification:new")]

    await eventually(lambda: {"twice-1", "twice-2"} <= set(told()))  # jobs run side by side, so in any order
    await eventually(lambda: redis_is_done(redis))
    ids = [item["id"] for item in (await user.get("/api/notifications")).json()["items"]]
    assert ids.count("twice-1") == 1
    assert 1 <= told().count("twice-1") <= 3


async def redis_is_done(redis: Redis) -> bool:
    """Whether no job is left in the stream."""
    return bool(await redis.xlen("queue:jobs") == 0)


async def test_a_job_that_keeps_failing_becomes_a_dead_letter(redis: Redis) -> None:
    """After five attempts, with the reason; unreadable jobs too, and the queue goes on."""
    await redis.xadd(
        "queue:jobs",
        {"job": orjson.dumps({"kind": "event", "event": "nonsense", "club_id": "c", "id": "poison", "data": {}})},
    )
    await redis.xadd("queue:jobs", {"job": b"\xff not json"})

    async def buried() -> list[dict[str, Any]]:
        letters = await redis.xrange("queue:dead")
        jobs = [{**orjson.loads(fields[b"job"]), "reason": fields[b"reason"].decode()} for _, fields in letters]
        mine = [job for job in jobs if job.get("id") == "poison" or job["kind"] == "unreadable"]
        return mine if len(mine) >= 2 else []

    letters = await eventually(buried, within_s=30)
    poison = next(job for job in letters if job.get("id") == "poison")
    assert poison["attempts"] == 4 and poison["reason"].startswith("KeyError")


async def test_a_job_of_a_dead_consumer_is_claimed_by_another(sign_in: SignIn, redis: Redis) -> None:
    """A consumer took it and was never heard of again."""
    socket = await (await sign_in("user0137")).socket()
    await redis.xadd("queue:jobs", {"job": orjson.dumps(delivery("abandoned", "user0137"))})
    await redis.xgroup_create("queue:other", "g", mkstream=True)
    # Taken in the name of a consumer that does not exist, before or after the server saw it: at least once either way.
    await redis.xreadgroup("server", "dead-consumer", {"queue:jobs": ">"}, count=10)
    events = await eventually(lambda: socket.of("notification:new"), within_s=20)
    assert events[0]["id"] == "abandoned"
    await redis.delete("queue:other")


async def test_a_promise_survives_a_queue_that_forgets(sign_in: SignIn, redis: Redis, database: Any) -> None:
    """What the outbox holds is handed in again when the queue has lost it."""
    socket = await (await sign_in("user0138")).socket()
    row = {"_id": "lost", "club_id": "club00", "job": delivery("lost", "user0138")}
    await database["outbox"].insert_one({**row, "check_at": datetime.now(UTC) - timedelta(seconds=1)})
    (event,) = await socket.until("notification:new")
    assert event["id"] == "lost"

    async def kept() -> bool:
        return not await database["outbox"].find_one({"_id": "lost"})

    await eventually(kept)


async def test_stored_templates_take_the_place_of_the_built_in_ones(
    sign_in: SignIn, database: Any, redis: Redis
) -> None:
    """An admin may word notifications anew; unknown placeholders stay as they are, and what is half written is none."""
    await database["notification_templates"].insert_many(
        [{"_id": "custom.kind", "title": "Hi $who", "body": "$unknown $who"}, {"_id": "game.eve", "title": "half"}]
    )
    await TwoLayerCache(redis).invalidate("templates:all")
    user = await sign_in("user0139")
    socket = await user.socket()
    data = {"event_id": f"c{time.time_ns()}", "user_ids": ["user0139"], "who": "Ada"}
    job = {"id": data["event_id"], "kind": "event", "event": "custom.kind", "club_id": "club00", "data": data}

    async def told() -> list[Any]:
        await redis.xadd("queue:jobs", {"job": orjson.dumps({**job, "id": f"{job['id']}-{time.time_ns()}"})})
        return socket.of("notification:new")

    events = await eventually(told, within_s=40)
    assert (events[0]["title"], events[0]["body"]) == ("Hi Ada", "$unknown Ada")


@pytest.mark.parametrize(
    "body",
    [
        {"user_id": {"$ne": ""}, "type": "t", "title": "x"},
        {"user_id": "user0001", "type": "t"},
        {"user_id": "user0001", "type": "t", "title": "x" * 201},
        {"user_id": "user0001", "type": "t", "title": "x", "send_at": "tomorrow"},
        {"user_id": "user0001", "type": "t", "title": "x", "send_at": "2026-12-01T10:00:00"},
    ],
)
async def test_invalid_notifications_are_refused(sign_in: SignIn, body: Any) -> None:
    """With 422, naming the field."""
    answer = await (await sign_in("user0135")).post("/api/notifications", body)
    assert answer.status_code == 422 and answer.json()["error"]["problems"]
