"""What a warm-up would do, found out without writing: from a first part of each source, and the number of the rest."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from dbz.cache.nodes import AnyRedis, Nodes
from dbz.cache.warm.databases import Databases
from dbz.cache.warm.limits import OVERHEAD_BYTES, Room, look
from dbz.cache.warm.plan import Planner, WarmOrder
from dbz.cache.warm.sources import WarmSource, no_epoch
from dbz.config.warmup import Warmer

SCHEMA = "dbz.warm-plan/1"
_SAMPLE_DOCUMENTS = 1000
_STEP = 250


@dataclass(frozen=True)
class WarmUpForecast:
    """What one warmer would do."""

    name: str
    documents: int
    keys: int
    """Keys that it would try to write."""
    present: int
    """Those of them that are there already."""
    bytes: int
    """Of the others: keys and values."""
    exact: bool
    """Whether all documents were read; else the figures are calculated from the first ones."""
    left_out: bool = False
    """Whether its documents name no club, when only some clubs are warmed."""

    @property
    def memory_bytes(self) -> int:
        """What Redis would need, about, for what is not there."""
        return self.bytes + (self.keys - self.present) * OVERHEAD_BYTES


@dataclass(frozen=True)
class WarmPlan:
    """All warmers, and the room that Redis has."""

    forecasts: list[WarmUpForecast]
    room: Room

    @property
    def memory_bytes(self) -> int:
        """What Redis would need, about."""
        return sum(forecast.memory_bytes for forecast in self.forecasts)

    @property
    def fits(self) -> bool:
        """Whether that can be written without evicting anything."""
        return self.room.left_bytes is None or self.memory_bytes <= self.room.left_bytes

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "schema": SCHEMA,
            "fits": self.fits,
            "memory_bytes": self.memory_bytes,
            "left_bytes": self.room.left_bytes,
            "used_bytes": self.room.used_bytes,
            "maxmemory_bytes": self.room.limit_bytes,
            "maxmemory_policy": self.room.policy,
            "warmers": [{**vars(forecast), "memory_bytes": forecast.memory_bytes} for forecast in self.forecasts],
        }


async def dry_run(order: WarmOrder, databases: Databases, redis: AnyRedis) -> WarmPlan:
    """The plan of an order; raises `UsageError` when it does not fit the store, and the errors of both clients."""
    planner = Planner(order, databases)
    await planner.check()
    clubs = await planner.clubs()
    forecasts = []
    for warmer in order.warmers:
        if warmer.name in planner.nameless:
            forecasts.append(WarmUpForecast(warmer.name, 0, 0, 0, 0, exact=True, left_out=True))
            continue
        source = planner.source(warmer, clubs, no_epoch, _STEP)
        forecasts.append(await _forecast(warmer, source, redis, order.prefix))
    return WarmPlan(forecasts, await look(Nodes(redis)))


async def _forecast(warmer: Warmer, source: WarmSource, redis: Any, prefix: str) -> WarmUpForecast:
    documents = present = size = 0
    keys: set[str] = set()
    exact = True
    async with aclosing(source.units(None)) as units:
        async for unit in units:
            fresh = {item.key: item for item in unit.items if item.key not in keys}
            keys |= set(fresh)
            documents += unit.documents
            for item in fresh.values():
                there = bool(await redis.exists(prefix + item.key))
                present += there
                size += 0 if there else len(prefix) + len(item.key) + len(item.value)
            if documents >= _SAMPLE_DOCUMENTS:
                exact = False
                break
    if exact:
        return WarmUpForecast(warmer.name, documents, len(keys), present, size, True)
    times = max(1.0, await source.expected() / max(1, len(keys)))
    whole = [round(figure * times) for figure in (documents, len(keys), present, size)]
    return WarmUpForecast(warmer.name, whole[0], whole[1], whole[2], whole[3], False)
