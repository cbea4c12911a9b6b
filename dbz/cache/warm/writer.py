"""Writing a batch: only what is not there, or is older, and only what nothing has made stale since it was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from redis.asyncio import Redis

from dbz.cache.layers.invalidations import matches_any
from dbz.cache.layers.lua import EPOCH, NOT_NEWER, PUT_IF_OLDER
from dbz.cache.layers.remote import parse_line
from dbz.cache.names import Names
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

    def __init__(self, redis: Redis, prefix: str, version: str = "") -> None:
        names = Names(prefix)
        self._prefix = prefix
        self._meta = [names.epoch, names.log]
        self._version = version
        self._now = redis.register_script(_NOW)
        self._script = redis.register_script(_IF_OLDER if version else _IF_ABSENT)

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
