"""A server that is killed on the way of a push: nothing is lost, and no device shows a thing twice.

The ledger is outside: what the stand-in received.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient
from redis import Redis

from dbz.children import free_port
from tests.push.standin import PushStandIn
from tests.server.backend import seed, start_redis, start_server
from tests.server.clients import signing_in
from tests.server.push.postbox import Postbox
from tests.server.push.stage import MAIL, PushStage, prefers, quiet_now, register, token_of, until
from tests.server.push.victim import POINTS, PUSH_VICTIM, STEPS

DATABASE = "pushkills"
pytestmark = pytest.mark.anyio
AWAKE = "user0041"
UNKNOWN = ("send:after", "written:before")
"""Killed there, nobody knows what became of a push, and it is sent again."""
ALL = [f"{step}:{moment}" for step in STEPS for moment in ("before", "after")]
SETTINGS = """
notifications: {poll_s: 0.1, lease_s: 1}
push: {retry_base_s: 0.1, timeout_s: 0.5}
queue: {claim_after_s: 1.0, retry_base_s: 0.1}
"""


@pytest.fixture(scope="module")
def victim(
    stores: tuple[str, str], stand_in: PushStandIn, postbox: Postbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PushStage, Path]]:
    """A server of two processes with a database and a queue of its own, and the folder of its points."""
    own, (uri, _) = tmp_path_factory.mktemp("victim"), stores
    points = own / "points"
    points.mkdir()
    (own / "settings.yaml").write_text(SETTINGS)
    port = free_port()
    seed(own, "--mongo-uri", uri, "--database", DATABASE, "--clubs", "1")
    environment = {**stand_in.environment(), **MAIL, "SMTP_URL": postbox.url, POINTS: str(points)}
    options = ["--processes", "2", "--config", str(own / "settings.yaml"), "--database", DATABASE, "--warmup", "none"]
    with start_redis(own, port), Redis(port=port) as queue, MongoClient(uri, tz_aware=True) as mongo:
        url = f"redis://127.0.0.1:{port}"
        child, where = start_server(own, uri, url, options, environment, PUSH_VICTIM)
        with child:
            yield PushStage(where, stand_in, postbox, mongo[DATABASE], queue, own), points


async def test_wherever_it_is_killed_each_device_shows_each_push_once(victim: tuple[PushStage, Path]) -> None:
    """For a kill before and after each step a member whose night ends, and one who is told at once."""
    stage, points = victim
    stage.clean()
    asleep = [f"user01{number:02d}" for number in range(len(ALL))]
    async with signing_in(stage.where.url) as sign:
        for name in (*asleep, AWAKE):
            user = await sign(name)
            await register(user, token_of(name))
            if name != AWAKE:
                await prefers(user, quiet_hours=quiet_now())
    for point, sleeper in zip(ALL, asleep, strict=True):
        (points / point).touch()
        words = {"post_title": point, "author_name": "Ada", "content": "x"}
        stage.happens("post.commented", [sleeper, AWAKE], **words)

        def came(sleeper: str = sleeper, title: str = f"New comment on {point}") -> bool:
            if stage.held(sleeper):
                stage.time_passes()
            awake = [push["title"] for push in stage.stand_in.shown(token_of(AWAKE))]
            return title in awake and bool(stage.stand_in.shown(token_of(sleeper)))

        await until(came, 40)
        assert not (points / point).exists(), f"{point} was never reached"
    await asyncio.sleep(0.5)
    titles = sorted(f"New comment on {point}" for point in ALL)
    assert sorted(push["title"] for push in stage.stand_in.shown(token_of(AWAKE))) == titles
    assert sorted(push["title"] for name in asleep for push in stage.stand_in.shown(token_of(name))) == titles
    # Also a job that a busy machine holds up for longer than `claim_after_s` is taken over and sent again.
    assert len(stage.stand_in.received()) - 2 * len(ALL) <= len(UNKNOWN) + len(ALL) // 2
    assert not stage.redis.xlen("queue:dead")
