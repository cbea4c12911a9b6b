"""Writing a batch: only what is not there, or is older, and only what nothing has made stale since it was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from dbz.cache.layers.invalidations import matches_any
from dbz.cache.layers.lua import EPOCH, HASH_IF_ABSENT, NOT_NEWER, PUT_IF_OLDER
from dbz.cache.layers.remote import parse_line
from dbz.cache.names import Names
from dbz.cache.nodes import Nodes
from dbz.cache.warm.items import Item

_NOW = EPOCH + "return e"
_IF_ABSENT = (
    NOT_NEWER
    + """
local written, bytes = 0, 0
for i = 3, #KEYS do
  local value = ARGV[2 * i - 4]
  if redis.call('SET', KEYS[i], value, 'PX', ARGV[2 * i - 3], 'NX') then
    written, bytes = written + 1, bytes + #KEYS[i] + #value
  end
end
return {e, 'written', written, bytes}
"""
)
_HASH_IF_ABSENT = (
    HASH_IF_ABSENT
    + NOT_NEWER
    + """
local written, bytes = 0, 0
for i = 3, #KEYS do
  local value = ARGV[2 * i - 4]
  if put_hash(KEYS[i], value, ARGV[2 * i - 3]) == 1 then
    written, bytes = written + 1, bytes + #KEYS[i] + #value
  end
end
return {e, 'written', written, bytes}
"""
)
_IF_OLDER = (
    PUT_IF_OLDER
    + NOT_NEWER
    + """
local written, bytes = 0, 0
for i = 3, #KEYS do
  local value = ARGV[3 * i - 6]
  if put(KEYS[i], value, ARGV[3 * i - 5], ARGV[2], ARGV[3 * i - 4]) == 1 then
    written, bytes = written + 1, bytes + #KEYS[i] + #value
  end
end
return {e, 'written', written, bytes}
"""
)
_ATTEMPTS = 8


class Written(NamedTuple):
    """What became of a batch: keys and bytes written, `stale` items to be read again; `lost`: the log was too short."""

    keys: int
    bytes: int
    stale: list[Item]
    lost: bool = False


class BatchWriter(Protocol):
    """Writes batches of items; every method raises redis-py's errors."""

    async def epoch(self) -> str:
        """The epoch now, to be asked for before items are read."""

    async def write(self, items: Sequence[Item], epoch: str) -> Written:
        """Write those items that may be written, given that they were read after `epoch`."""


class ScriptWriter:
    """For one Redis: a script checks and writes a whole batch in one step. `version` names the field to compare."""

    def __init__(self, redis: Redis, prefix: str, version: str = "", *, hashes: bool = False) -> None:
        names = Names(prefix)
        self._prefix = prefix
        self._meta = [names.epoch, names.log]
        self._version = version
        self._now = redis.register_script(_NOW)
        self._script = redis.register_script(_IF_OLDER if version else _HASH_IF_ABSENT if hashes else _IF_ABSENT)

    async def epoch(self) -> str:
        """See `BatchWriter`."""
        now: bytes = await self._now(keys=self._meta[:1])
        return now.decode()

    async def write(self, items: Sequence[Item], epoch: str) -> Written:
        """See `BatchWriter`."""
        stale: list[Item] = []
        for _ in range(_ATTEMPTS):
            if not items:
                break
            now, outcome, *rest = await self._script(keys=self._keys(items), args=self._arguments(items, epoch))
            if outcome == b"written":
                return Written(rest[0], rest[1], stale)
            if outcome == b"unknown":
                return Written(0, 0, [*stale, *items], lost=True)
            patterns = [parse_line(line).pattern for line in rest]
            stale += [item for item in items if matches_any(item.key, patterns)]
            items = [item for item in items if not matches_any(item.key, patterns)]
            epoch = now.decode()
        return Written(0, 0, [*stale, *items])

    def _keys(self, items: Sequence[Item]) -> list[str]:
        prefix = self._prefix
        return [*self._meta, *[prefix + item.key for item in items]]

    def _arguments(self, items: Sequence[Item], epoch: str) -> list[bytes | str | int]:
        if not self._version:
            return [epoch, *[part for item in items for part in (item.value, item.ttl_ms)]]
        return [epoch, self._version, *[part for item in items for part in (item.value, item.ttl_ms, item.version)]]


_PUT_HASH = HASH_IF_ABSENT + "return put_hash(KEYS[1], ARGV[1], ARGV[2])"
_NEWS = NOT_NEWER + "return {e, 'same'}"
_PUT = PUT_IF_OLDER + "return put(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])"


class ClusterWriter:
    """Writes key by key, looks what was invalidated meanwhile, and takes that back.

    A value that becomes stale in the moment of its writing may so be read for as long as one batch takes; it is
    removed at once. An existing key is never overwritten, or with a `version` only when its own is lower.
    """

    def __init__(self, redis: RedisCluster, prefix: str, version: str = "", *, hashes: bool = False) -> None:
        self._redis = redis
        self._hashes = hashes
        self._names = Names(prefix)
        self._version = version
        self._now = redis.register_script(_NOW)
        self._news = redis.register_script(_NEWS)

    async def epoch(self) -> str:
        """See `BatchWriter`."""
        now: bytes = await self._now(keys=[self._names.epoch])
        return now.decode()

    async def write(self, items: Sequence[Item], epoch: str) -> Written:
        """See `BatchWriter`."""
        stale, lost = await self._stale(items, epoch)
        if lost:
            return Written(0, 0, list(items), lost=True)
        gone = {item.key for item in stale}
        fresh = [item for item in items if item.key not in gone]
        answers = await self._set(fresh)
        written = [item for item, answer in zip(fresh, answers, strict=True) if answer]
        late, lost = await self._stale(written, epoch)
        if late:
            await Nodes(self._redis).unlink([self._raw(item) for item in late])
        taken_back = {item.key for item in late}
        kept = [item for item in written if item.key not in taken_back]
        size = sum(len(self._raw(item)) + len(item.value) for item in kept)
        return Written(len(kept), size, [*stale, *late], lost)

    def _raw(self, item: Item) -> bytes:
        return self._names.entry(item.key).encode(errors="surrogateescape")

    async def _stale(self, items: Sequence[Item], epoch: str) -> tuple[list[Item], bool]:
        """Those items that were invalidated after `epoch`; all of them, and True, when that cannot be told."""
        _, outcome, *lines = await self._news(keys=[self._names.epoch, self._names.log], args=[epoch])
        if outcome == b"unknown":
            return list(items), True
        patterns = [parse_line(line).pattern for line in lines] if outcome == b"newer" else []
        return [item for item in items if matches_any(item.key, patterns)], False

    async def _set(self, items: Sequence[Item]) -> list[Any]:
        pipe: Any = self._redis.pipeline()
        for item in items:
            name = self._names.entry(item.key)
            if self._version:  # by its text: a primary that has just taken over knows no script
                pipe.execute_command("EVAL", _PUT, 1, name, item.value, item.ttl_ms, self._version, item.version)
            elif self._hashes:
                pipe.execute_command("EVAL", _PUT_HASH, 1, name, item.value, item.ttl_ms)
            else:
                pipe.set(name, item.value, px=item.ttl_ms, nx=True)
        return list(await pipe.execute()) if items else []
