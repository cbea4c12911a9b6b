"""How fresh the cache is: keys of the warmers, sampled, and compared with what the store gives for them now."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from bson import ObjectId

from dbz.cache.glob import escape
from dbz.cache.names import Names
from dbz.cache.nodes import AnyRedis, Nodes
from dbz.cache.warm.databases import Databases
from dbz.cache.warm.forms import fields_of
from dbz.cache.warm.plan import Planner, WarmOrder
from dbz.cache.warm.sources import SourceReader
from dbz.config.warmup import HASH, Warmer
from dbz.measure.confidence import share_interval

SCHEMA = "dbz.cache-check/1"
_CONFIDENCE = 0.95
_AGAIN_S = 0.3
_STEP = 200


@dataclass(frozen=True)
class StaleKey:
    """A key whose value is not what the store gives."""

    key: str
    why: str
    """`differs`, or `gone`: no such document."""
    age_s: float
    """Since it was written, at least: its time to live is shortened at random by up to the jitter."""


@dataclass
class Freshness:
    """The keys of one warmer."""

    name: str
    keys: int = 0
    """Keys in Redis that its template matches."""
    sampled: int = 0
    stale: list[StaleKey] = field(default_factory=list)
    note: str = ""
    """Why it was not looked at; empty when it was."""

    @property
    def share(self) -> float | None:
        """The share of fresh keys; None when none was looked at."""
        return 1 - len(self.stale) / self.sampled if self.sampled else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the share of all keys lies, with 95 % confidence."""
        if not self.sampled:
            return None
        return share_interval(self.sampled - len(self.stale), self.sampled, _CONFIDENCE)

    @property
    def nines(self) -> float | None:
        """The nines of the share, 3 for 99.9 %; infinite when nothing was stale."""
        if self.share is None:
            return None
        return math.inf if self.share == 1 else -math.log10(1 - self.share)

    def document(self) -> dict[str, Any]:
        """As plain data."""
        ages = sorted(stale.age_s for stale in self.stale)
        return {
            "name": self.name,
            "keys": self.keys,
            "sampled": self.sampled,
            "stale": len(self.stale),
            "fresh_share": self.share,
            "fresh_share_interval": self.interval,
            "nines": None if self.nines is None or math.isinf(self.nines) else round(self.nines, 2),
            "oldest_stale_s": ages[-1] if ages else None,
            "median_stale_s": ages[len(ages) // 2] if ages else None,
            "examples": [vars(stale) for stale in self.stale[:10]],
            "note": self.note,
        }


class FreshnessCheck:
    """Compares keys of an order's warmers with the store; raises the errors of both clients."""

    def __init__(self, order: WarmOrder, databases: Databases, redis: AnyRedis, sample: int) -> None:
        self._order = order
        self._databases = databases
        self._redis: Any = redis
        self._names = Names(order.prefix)
        self._sample = sample
        self._planner = Planner(order, databases)

    async def run(self) -> list[Freshness]:
        """The freshness of each warmer, in the order of the file."""
        await self._planner.check()
        return [await self._of(warmer) for warmer in self._order.warmers]

    async def _of(self, warmer: Warmer) -> Freshness:
        found = Freshness(warmer.name)
        pattern = re.compile(_regex(warmer.key))
        if warmer.listed is not None:
            found.note = "list pages are not compared"
            return found
        if "_id" not in pattern.groupindex:
            found.note = f"the key '{warmer.key}' does not name the document's _id"
            return found
        keys = await self._keys(warmer, pattern, found)
        # What is worth warming is a choice of the file; an app caches what it reads, and that may be anything.
        reader = self._planner.reader(warmer.model_copy(update={"filter": {}}))
        for begin in range(0, len(keys), _STEP):
            suspects = await self._suspects(reader, pattern, keys[begin : begin + _STEP])
            if suspects:
                # It may have been written, or removed, between the two looks.
                await asyncio.sleep(_AGAIN_S)
                suspects = await self._suspects(reader, pattern, list(suspects))
            found.sampled += len(keys[begin : begin + _STEP])
            found.stale += [await self._stale(key, why, warmer) for key, why in suspects.items()]
        return found

    async def _keys(self, warmer: Warmer, pattern: re.Pattern[str], found: Freshness) -> list[str]:
        """Keys of the warmer, evenly out of all that there are; Redis gives them in the order of their hashes."""
        start, keys = len(self._names.prefix), list[str]()
        async for batch in Nodes(self._redis).scan(self._names.glob(_glob(warmer.key))):
            names = (raw.decode(errors="surrogateescape")[start:] for raw in batch)
            keys += [key for key in names if pattern.fullmatch(key)]
        keys = list(dict.fromkeys(keys))
        found.keys = len(keys)
        step = max(1.0, len(keys) / self._sample)
        return [keys[int(at * step)] for at in range(min(self._sample, len(keys)))]

    async def _suspects(self, reader: SourceReader, pattern: re.Pattern[str], keys: Sequence[str]) -> Mapping[str, str]:
        """{key: why} of those whose value is not what the store gives; keys that have gone are none."""
        hashes = reader.warmer.type == HASH
        async with self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                (pipe.hgetall if hashes else pipe.get)(self._names.entry(key))
            values = dict(zip(keys, await pipe.execute(raise_on_error=False), strict=True))
        ids = {one for key in keys for one in _ids(pattern.fullmatch(key))}
        now = {item.key: item.value for item in await reader.again(ids)}
        return {
            key: "differs" if key in now else "gone"
            for key, value in values.items()
            if isinstance(value, bytes | dict) and value != {} and not (key in now and _same(value, now[key]))
        }

    async def _stale(self, key: str, why: str, warmer: Warmer) -> StaleKey:
        left_ms = await self._redis.pttl(self._names.entry(key))
        shortest_s = warmer.ttl * (1 - float(self._order.warmup.jitter))
        return StaleKey(key, why, max(0.0, round(shortest_s - left_ms / 1000, 1)) if left_ms >= 0 else 0.0)


def _regex(template: str) -> str:
    """A key template as a regular expression with a group for `_id`; other fields may be anything."""
    out, seen = [], False
    for text, name, _, _ in Formatter().parse(template):
        out.append(re.escape(text))
        if name == "_id" and not seen:
            out.append("(?P<_id>.+)")
            seen = True
        elif name is not None:
            out.append(".+?")
    return "".join(out)


def _glob(template: str) -> str:
    return "".join(escape(text) + ("*" if name is not None else "") for text, name, _, _ in Formatter().parse(template))


def _ids(match: re.Match[str] | None) -> list[Any]:
    """What the `_id` in a key may stand for."""
    if match is None:
        return []
    text = match["_id"]
    found: list[Any] = [text]
    if ObjectId.is_valid(text):
        found.append(ObjectId(text))
    if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 19:
        found.append(int(text))
    return found


def _same(one: bytes | dict[bytes, bytes], other: bytes) -> bool:
    if isinstance(one, dict):
        return one == fields_of(other)
    if one == other:
        return True
    try:
        return bool(json.loads(one) == json.loads(other))
    except (ValueError, RecursionError):
        return False
