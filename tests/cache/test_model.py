"""Two processes, one Redis, any order of steps: nobody is served what was made stale, and nothing is invented.

The model is a store with a version for each key. A step may load, write and invalidate, let entries expire in Redis or
in the local layers, or begin a load that ends later.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from redis.asyncio import Redis

from dbz.cache import CacheSync, TwoLayerCache
from dbz.cache.admin.purge import Purge, purge
from dbz.cache.admin.selection import selection
from dbz.cache.names import Names
from tests.cache.conftest import RedisServer
from tests.whole import WHOLE

KEYS = ("post:1", "post:2", "post:é", "game:1")
_keys = st.sampled_from(KEYS)
_process = st.integers(0, 1)


class Machine(RuleBasedStateMachine):
    """`stored` holds the truth: each key's version, which grows with every write."""

    url: str

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.stored = dict.fromkeys(KEYS, 1)
        self.slow: list[tuple[asyncio.Task[Any], asyncio.Event]] = []
        self.run(self._open())

    async def _open(self) -> None:
        self.clients = [Redis.from_url(self.url, db=7) for _ in range(2)]
        await self.clients[0].flushdb()
        self.caches = [TwoLayerCache(client) for client in self.clients]
        self.syncs = [CacheSync(*pair) for pair in zip(self.caches, self.clients, strict=True)]
        for sync in self.syncs:
            await sync.catch_up()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 10))

    async def _load(self, key: str) -> dict[str, Any]:
        return {"key": key, "version": self.stored[key]}

    async def _told(self) -> None:
        """Every process hears of what the others did: by the poll, which is what works without messages too."""
        for sync in self.syncs:
            await sync.catch_up()

    @rule(which=_process, key=_keys)
    def get(self, which: int, key: str) -> None:
        """A read gives the stored version: all that was written before has been announced and heard."""
        if key in self.caches[which]._flights:  # it would wait for the slow load
            self.end_the_slow_loads()
        found = self.run(self.caches[which].get(key, lambda: self._load(key)))
        assert found == {"key": key, "version": self.stored[key]}

    @rule(which=_process)
    def get_many(self, which: int) -> None:
        async def load(keys: list[str]) -> dict[str, Any]:
            return {key: await self._load(key) for key in keys}

        found = self.run(self.caches[which].get_many(KEYS, load))
        assert {key: value["version"] for key, value in found.items()} == self.stored

    @rule(which=_process, key=_keys, star=st.booleans())
    def write_and_invalidate(self, which: int, key: str, star: bool) -> None:
        """As services do it: the store first, then the key, or a glob that covers it."""
        self.stored[key] += 1
        pattern = key[:5] + "*" if star else key
        self.run(self.caches[which].invalidate(pattern))
        self.run(self._told())

    @rule(key=_keys)
    def write_and_purge_from_outside(self, key: str) -> None:
        """As a person does it, with `dbz cache invalidate`."""
        self.stored[key] += 1
        self.run(purge(self.clients[0], Names("cache:"), selection([key], [], []), Purge()))
        self.run(self._told())

    @rule(which=_process, key=_keys)
    def begin_a_slow_load(self, which: int, key: str) -> None:
        """It reads the store now and answers later; what is written meanwhile must win."""
        gate, version = asyncio.Event(), self.stored[key]

        async def load() -> dict[str, Any]:
            await gate.wait()
            return {"key": key, "version": version}

        async def start() -> asyncio.Task[Any]:
            self.caches[which].local.remove(key)
            await self.clients[0].delete(f"cache:{key}")
            task = asyncio.ensure_future(self.caches[which].get(key, load))
            await asyncio.sleep(0.002)
            return task

        self.slow.append((self.run(start()), gate))

    @rule()
    def end_the_slow_loads(self) -> None:
        for _, gate in self.slow:
            gate.set()
        while self.slow:
            self.run(self.slow.pop()[0])

    @rule(key=_keys)
    def expire_in_redis(self, key: str) -> None:
        self.run(self.clients[0].delete(f"cache:{key}"))

    @rule(which=_process)
    def expire_locally(self, which: int) -> None:
        self.caches[which].local.clear()

    @rule()
    def lose_everything_in_redis(self) -> None:
        """FLUSHALL: keys, epoch and log."""
        self.run(self.clients[0].flushdb())
        self.run(self._told())

    @invariant()
    def nothing_old_is_kept(self) -> None:
        """Neither layer holds an older version than the store."""
        if not hasattr(self, "caches"):
            return
        for cache in self.caches:
            for key, entry in cache.local._entries.items():
                assert entry.value["version"] == self.stored[key], (key, "local")
        for key, value in zip(KEYS, self.run(self.clients[0].mget([f"cache:{key}" for key in KEYS])), strict=True):
            assert value is None or f'"version":{self.stored[key]}}}' in value.decode(), (key, "redis")

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.end_the_slow_loads()
            for client in self.clients:
                self.run(client.aclose())
            self.loop.close()


def test_two_processes_never_serve_what_was_made_stale(redis_server: RedisServer) -> None:
    Machine.url = redis_server.url
    Checked = Machine.TestCase
    Checked.settings = settings(
        max_examples=60 if WHOLE else 25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )
    Checked("runTest").runTest()
