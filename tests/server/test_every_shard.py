"""What concerns all shards is asked of all at once: proxies hold each shard's request until every shard has one."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient, IndexModel
from pymongo.uri_parser import parse_uri
from redis.asyncio import Redis

from dbz.config.shards import Shards
from dbz.server.data.indexes import ensure_indexes, missing_indexes
from dbz.server.data.sharding import ShardedRouter
from dbz.server.seams import Indexes
from dbz.server.settings import StoreSettings
from dbz.shards.control import Control
from dbz.shards.deployment import Deployment
from dbz.shards.plan.adoption import adopt
from dbz.shards.query import query_all
from tests.shards.proxy import Proxy
from tests.shards.stores import make_world

SHARDS = 3
_PATIENCE_S = 15.0


class Meeting:
    """Lets requests with some bytes in them through only when one for each shard has come; counts how often."""

    def __init__(self, *marks: bytes) -> None:
        self._marks = marks
        self._barrier = threading.Barrier(SHARDS, action=self._met)
        self.met = 0

    def _met(self) -> None:
        self.met += 1

    def hold(self, message: bytes) -> None:
        """Whoever asks one shard after the other never gets an answer from the first: the connection is cut."""
        if all(mark in message for mark in self._marks):
            self._barrier.wait(_PATIENCE_S)


@pytest.fixture
def proxied(tmp_path: Path, shard_uris: list[str]) -> Iterator[tuple[Deployment, dict[str, str], list[Proxy]]]:
    """An adopted deployment on three shards behind proxies, with their environment."""
    with ExitStack() as stack:
        ports = [parse_uri(uri)["nodelist"][0][1] for uri in shard_uris]
        proxies = [Proxy(port) for port in ports]
        for proxy in proxies:
            stack.callback(proxy.close)
        uris = [
            uri.replace(str(port), str(one.port)) for uri, port, one in zip(shard_uris, ports, proxies, strict=True)
        ]
        world = make_world(tmp_path, uris, f"t{secrets.token_hex(6)}", shard_count=SHARDS)
        stack.enter_context(world.deployment)
        world.fill({f"club{number}": 5 for number in range(9)}, shard_count=SHARDS)
        adopt(world.deployment)
        yield world.deployment, world.environment, proxies


def meet(proxies: list[Proxy], *marks: bytes) -> Meeting:
    meeting = Meeting(*marks)
    for proxy in proxies:
        proxy.before = meeting.hold
    return meeting


def test_a_query_over_all_shards_asks_them_at_once(proxied: tuple[Deployment, Any, list[Proxy]]) -> None:
    deployment, _, proxies = proxied
    meeting = meet(proxies, b"find\0", b"posts\0")
    with Control(deployment) as control:
        rows = query_all(deployment, "posts", {}, [("_id", 1)], 0, 100, control.map)
    assert [row["_id"] for row in rows] == [f"club{number}/{at:06d}" for number in range(9) for at in range(5)]
    assert meeting.met == 1, "each shard was asked once, and all three at the same time"


@pytest.mark.anyio
async def test_the_server_asks_all_shards_at_once(proxied: tuple[Deployment, dict[str, str], list[Proxy]]) -> None:
    deployment, environment, proxies = proxied
    file: Shards = deployment.file
    stores = StoreSettings(timeout_s=2 * _PATIENCE_S)
    mongo: AsyncMongoClient[Any] = AsyncMongoClient(environment["TEST_SHARD_0"])
    redis = Redis(port=1)
    router = ShardedRouter(file, stores, mongo, redis, environment)
    wanted = [Indexes("posts", (IndexModel("n", name="by_n"),))]
    try:
        await router._follower.catch_up()
        meeting = meet(proxies, b"find\0", b"posts\0")
        found = await router.on_every_shard(lambda database: database["posts"].find({}).to_list())
        assert meeting.met == 1 and sum(map(len, found)) == 45 and all(found)

        meeting = meet(proxies, b"listIndexes\0", b"posts\0")
        assert await missing_indexes(router, wanted) == ["posts.by_n"] * SHARDS and meeting.met == 1
        meeting = meet(proxies, b"createIndexes\0")
        await ensure_indexes(router, wanted)
        assert meeting.met == 1
        meet(proxies, b"never")
        assert await missing_indexes(router, wanted) == []

        meeting = meet(proxies, b"ping\0", file.database.encode())
        await router.ping()
        assert meeting.met == 1

        class BrokenError(Exception): ...

        asked = []

        async def ask(database: Any) -> None:
            asked.append(database)
            raise BrokenError

        with pytest.raises(BrokenError):
            await router.on_every_shard(ask)
        assert len(asked) == SHARDS, "one that fails keeps nobody from being asked"
    finally:
        await router.stop()
        await mongo.close()
        await redis.aclose()
