"""Waiting for the servers while writes are held: for whom, at what price, and what a server reports meanwhile."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect
from pymongo.uri_parser import parse_uri

from dbz.shards.control import ROUTERS, Control
from dbz.shards.errors import FenceOverrunError
from dbz.shards.follow.follower import MapFollower
from dbz.shards.journal import Move
from dbz.shards.map import legacy_map
from dbz.shards.move import mover, rebalance
from dbz.shards.plan.document import PlannedMove
from tests.server.backend import mongo_uri
from tests.shards.moves import CLUBS, working
from tests.shards.proxy import Proxy
from tests.shards.stores import World, make_world


def test_each_look_at_the_servers_is_one_question_and_who_is_gone_is_not_waited_for(
    tmp_path: Path, shard_uris: list[str], adopted: World
) -> None:
    proxy = Proxy(parse_uri(shard_uris[0])["nodelist"][0][1])
    asked: Counter[bytes] = Counter()
    words = (b"find\0", b"delete\0", b"update\0", b"insert\0")

    def count(message: bytes) -> None:
        if ROUTERS.encode() in message:
            asked.update(word for word in words if word in message)

    try:
        world = make_world(tmp_path, [mongo_uri(proxy.port), *shard_uris[1:]], adopted.database)
        with world.deployment, Control(world.deployment) as control:
            routers = control.database[ROUTERS]
            routers.insert_one({"_id": "gone", "epoch": 0, "seen": datetime(2020, 1, 1, tzinfo=UTC)})
            routers.update_one({"_id": "slow"}, {"$set": {"epoch": 4}, "$currentDate": {"seen": True}}, upsert=True)
            proxy.before = count
            with pytest.raises(FenceOverrunError, match="server slow did not follow"):
                control.wait_for_routers(5, time.monotonic() + 0.2)
            assert asked[b"find\0"] > 1 and set(asked) == {b"find\0"}
            routers.update_one({"_id": "slow"}, {"$set": {"epoch": 5}})
            control.wait_for_routers(5, time.monotonic() + 10)
            assert [router["_id"] for router in control.routers()] == ["slow"]
    finally:
        proxy.close()


def test_a_move_gives_up_after_so_many_tries_also_when_a_store_fails_between_them(
    adopted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mover, "_FENCE_PAUSE_S", 0.001)
    monkeypatch.setattr(rebalance, "_PAUSES_S", (0.01,) * 5)
    told: list[str] = []

    def tell(_move: Move, what: str) -> None:
        told.append(what)
        if len(told) % 3 == 0:
            raise AutoReconnect("a connection broke")

    with working(adopted, max_fence_s=0.03, told=tell) as (work, control, journal):
        change = {"$set": {"epoch": -1, "seen": datetime(2100, 1, 1, tzinfo=UTC)}}
        control.database[ROUTERS].update_one({"_id": "stuck"}, change, upsert=True)
        source = control.map().shard_of(CLUBS[0])
        journal.add([PlannedMove(CLUBS[0], source, "shard_2", 60, 10_000)])
        (failed,) = work.run().failed
        assert "could not be held short enough 8 times: server stuck did not follow" in failed.reason
        assert len(told) == 8 and not control.map().fenced
    assert adopted.found(CLUBS[0], "shard_2")["posts"] == {}


@pytest.mark.anyio
async def test_a_server_reports_a_fence_when_its_last_write_has_ended_and_looks_again_at_once_until_then(
    adopted: World,
) -> None:
    client: AsyncMongoClient[Any] = AsyncMongoClient(adopted.environment["TEST_SHARD_0"])
    database = client[f"{adopted.database}_control"]
    follower = MapFollower(database, legacy_map(["shard_0", "shard_1"]), "mine", None, poll_s=0.05)

    async def reported() -> int:
        found = await database[ROUTERS].find_one({"_id": "mine"})
        return -1 if found is None else int(found["epoch"])

    try:
        with Control(adopted.deployment) as control:
            assert await follower.catch_up()
            async with follower.gate.writing(CLUBS[0]):
                fenced = control.fence("a test", CLUBS[0], 30.0)
                assert not await follower.catch_up() and await reported() < fenced.epoch
            assert await follower.catch_up() and await reported() == fenced.epoch
    finally:
        await client.close()
