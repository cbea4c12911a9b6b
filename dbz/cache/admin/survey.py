"""Everything that is to be known about a cache from outside: its servers, its keys by sample, and its processes."""

from __future__ import annotations

import heapq
import math
import statistics
from dataclasses import dataclass, field
from typing import Any

from dbz.cache.layers.stats import Counts, ProcessFigures, added_up, processes
from dbz.cache.names import Names, family
from dbz.cache.nodes import AnyRedis, Nodes
from dbz.cache.problems import permitted

SCHEMA = "dbz.cache-stats/1"
DEFAULT_SAMPLE = 10_000
_MEASURED_OF_A_FAMILY = 500
_BOUNDS_S = (60.0, 600.0, 3600.0)
_Z95 = 1.96
LIVES = ("under 1 min", "1 to 10 min", "10 to 60 min", "over 1 h", "for ever")
"""The classes of remaining life."""


@dataclass(frozen=True)
class ServerFigures:
    """One Redis server since it was started."""

    name: str
    keys: int
    used_bytes: int
    limit_bytes: int
    policy: str
    hits: int
    misses: int
    evicted: int
    expired: int
    commands_per_s: float
    clients: int


@dataclass
class FamilyFigures:
    """The keys of one family in Redis, calculated from a sample; lives are remaining ones, in seconds."""

    name: str
    keys: int = 0
    keys_margin: int = 0
    """How far `keys` may be off, with 95 % confidence; 0 when all keys were looked at."""
    memory_bytes: int = 0
    memory_margin_bytes: int = 0
    """How far `memory_bytes` may be off, with 95 % confidence."""
    lives: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LIVES, 0))
    life_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Survey:
    """A look at the whole cache. `sampled` of all keys were looked at; `exact` when these were all."""

    servers: list[ServerFigures]
    families: list[FamilyFigures]
    processes: list[ProcessFigures]
    sampled: int
    exact: bool

    @property
    def counts(self) -> Counts:
        """What all processes together were asked for."""
        return added_up(self.processes)

    @property
    def hottest(self) -> list[tuple[str, int]]:
        """The keys that are asked for most, with estimated requests, of all processes together."""
        total: dict[str, int] = {}
        for process in self.processes:
            for key, count in process.hottest:
                total[key] = total.get(key, 0) + count
        return sorted(total.items(), key=lambda one: (-one[1], one[0]))[:10]

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "schema": SCHEMA,
            "sampled_keys": self.sampled,
            "exact": self.exact,
            "servers": [vars(one) for one in self.servers],
            "families": [vars(one) for one in self.families],
            "requests": self.counts,
            "hottest": [{"key": key, "requests": count} for key, count in self.hottest],
            "processes": [vars(one) for one in self.processes],
        }


async def survey(redis: AnyRedis, names: Names, sample: int = DEFAULT_SAMPLE) -> Survey:
    """Look at everything, at no more than about `sample` keys. Raises redis-py's errors."""
    servers = await _servers(redis)
    everything = sum(server.keys for server in servers)
    looked, found, exact = 0, dict[str, list[bytes]](), True
    prefix = names.prefix.encode(errors="surrogateescape")
    async for batch in Nodes(redis).scan("*"):
        looked += len(batch)
        for raw in batch:
            if raw.startswith(prefix):
                key = raw[len(prefix) :].decode(errors="replace")
                found.setdefault(family(key), []).append(raw)
        if looked >= sample:
            exact = looked >= everything
            break

    seen = 1.0 if exact or not looked else looked / everything
    families = [await _family(redis, name, entries, looked, seen) for name, entries in found.items()]
    families.sort(key=lambda one: -one.memory_bytes)
    return Survey(servers, families, await processes(redis, names), looked, exact)


@dataclass(frozen=True)
class BigKey:
    """A key and its memory; `requests` is what processes ask it for, by their sample, 0 when it is not among theirs."""

    key: str
    kind: str
    memory_bytes: int
    requests: int = 0

    @property
    def traffic_bytes(self) -> int:
        """What reading it has moved, about: the hot keys by bytes."""
        return self.memory_bytes * self.requests


async def big_keys(redis: AnyRedis, names: Names, most: int) -> list[BigKey]:
    """The largest keys of the cache, of all primaries, and those that are asked for most. Every key is looked at."""
    client: Any = redis
    asked = {key: count for process in await processes(redis, names) for key, count in process.hottest}
    heap: list[tuple[int, bytes]] = []
    hot: dict[bytes, int] = {}
    start = len(names.prefix.encode(errors="surrogateescape"))
    async for batch in Nodes(redis).scan(names.glob("*")):
        async with client.pipeline(transaction=False) as pipe:
            for entry in batch:
                pipe.execute_command("MEMORY USAGE", entry, keys=[entry])
            sizes = await pipe.execute(raise_on_error=False)
        permitted(sizes)
        for entry, size in zip(batch, sizes, strict=True):
            if isinstance(size, int):
                heapq.heappush(heap, (size, entry))
                if len(heap) > most:
                    heapq.heappop(heap)
                if entry[start:].decode(errors="replace") in asked:
                    hot[entry] = size
    found = []
    for entry, size in ({entry: size for size, entry in heap} | hot).items():
        key = entry[start:].decode(errors="replace")
        kind = (await client.type(entry)).decode()
        found.append(BigKey(key, kind, size, asked.get(key, 0)))
    return sorted(found, key=lambda one: (-one.memory_bytes, one.key))


async def _servers(redis: AnyRedis) -> list[ServerFigures]:
    infos = await Nodes(redis).info("memory", "stats", "keyspace", "clients")
    return [
        ServerFigures(
            name=name,
            keys=sum(one["keys"] for key, one in info.items() if key.startswith("db") and isinstance(one, dict)),
            used_bytes=int(info["used_memory"]),
            limit_bytes=int(info.get("maxmemory", 0)),
            policy=str(info.get("maxmemory_policy", "")),
            hits=int(info["keyspace_hits"]),
            misses=int(info["keyspace_misses"]),
            evicted=int(info["evicted_keys"]),
            expired=int(info["expired_keys"]),
            commands_per_s=float(info["instantaneous_ops_per_sec"]),
            clients=int(info["connected_clients"]),
        )
        for name, info in sorted(infos.items())
    ]


async def _family(redis: Any, name: str, entries: list[bytes], looked: int, seen: float) -> FamilyFigures:
    """The figures of a family, of which `entries` were among the `looked` keys, a share `seen` of all."""
    times = 1 / seen
    measured = entries[:_MEASURED_OF_A_FAMILY]
    async with redis.pipeline(transaction=False) as pipe:
        for entry in measured:
            pipe.pttl(entry)
            pipe.execute_command("MEMORY USAGE", entry, keys=[entry])
        answers = await pipe.execute(raise_on_error=False)  # a key may have gone meanwhile
    permitted(answers)
    figures = FamilyFigures(name, round(len(entries) * times))
    share = len(entries) * times / len(measured)
    sizes = [size for size in answers[1::2] if isinstance(size, int)]
    figures.memory_bytes = round(sum(sizes) * share)
    part = len(entries) / looked
    # Redis gives keys in the order of their hashes, so what came first is a sample without replacement.
    keys_off = math.sqrt((1 - part) / len(entries) * (1 - seen))
    mean = sum(sizes) / len(sizes) if sizes else 0.0
    spread = statistics.stdev(sizes) / mean if len(sizes) > 1 and mean else 0.0
    sizes_off = spread / math.sqrt(len(sizes)) * math.sqrt(1 - len(sizes) / (len(entries) * times)) if sizes else 0.0
    figures.keys_margin = round(_Z95 * keys_off * figures.keys)
    figures.memory_margin_bytes = round(_Z95 * math.hypot(keys_off, sizes_off) * figures.memory_bytes)
    lives_s = [left / 1000 for left in answers[0::2] if isinstance(left, int) and left >= 0]
    endless = sum(left == -1 for left in answers[0::2])
    for life_s in lives_s:
        figures.lives[LIVES[sum(life_s >= bound for bound in _BOUNDS_S)]] += 1
    figures.lives["for ever"] = endless
    figures.lives = {which: round(count * share) for which, count in figures.lives.items()}
    figures.life_s = percentiles(lives_s)
    return figures


def percentiles(values: list[float]) -> dict[str, float]:
    """p10, p50 and p90 (nearest rank), empty for no values."""
    ordered = sorted(values)
    ranks = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
    return {name: ordered[min(len(ordered) - 1, int(rank * len(ordered)))] for name, rank in ranks.items() if ordered}
