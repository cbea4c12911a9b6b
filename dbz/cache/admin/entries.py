"""Single entries of the cache: their values, and how long they live."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dbz.cache.admin.selection import Search, Selection
from dbz.cache.layers.encoding import BYTES_MARK
from dbz.cache.names import Names
from dbz.cache.nodes import AnyRedis

SCHEMA = "dbz.cache-entry/1"
LIVES_SCHEMA = "dbz.cache-ttl/1"


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


@dataclass(frozen=True)
class StoredEntry:
    """One key in Redis. `left_s` is None when it never expires; `kind` is Redis's type, `string` for a cached value."""

    key: str
    kind: str
    value: bytes
    left_s: float | None
    memory_bytes: int

    @property
    def decoded(self) -> Any:
        """The value as data; its text when it is no JSON, or JSON that cannot be written again as it is.

        Of bytes, a picture's, only how many there are.
        """
        if self.value.startswith(BYTES_MARK):
            return f"{len(self.value) - len(BYTES_MARK):,} bytes that are no text"
        try:
            value = json.loads(self.value.decode(), parse_constant=_no_json)
            json.dumps(value, indent=2, allow_nan=False)  # 1e999 is no number, and what is nested too deep ends here
        except (ValueError, RecursionError):
            return self.value.decode(errors="replace")
        return value

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        about = {"key": self.key, "type": self.kind, "left_s": self.left_s, "memory_bytes": self.memory_bytes}
        return {"schema": SCHEMA, **about, "value_bytes": len(self.value), "value": self.decoded}


async def read_entry(redis: AnyRedis, names: Names, key: str) -> StoredEntry | None:
    """The entry of `key`, None when there is none. Raises redis-py's errors."""
    client: Any = redis
    name = names.entry(key)
    kind = (await client.type(name)).decode()
    if kind == "none":
        return None
    value = b""
    if kind == "string":
        value = await client.get(name)
    elif kind == "hash":
        fields = await client.hgetall(name)
        texts = {field.decode(errors="replace"): text.decode(errors="replace") for field, text in fields.items()}
        value = json.dumps(texts).encode()
    left_ms = await client.pttl(name)
    memory = await client.memory_usage(name)
    if value is None or left_ms == -2:
        return None  # it has expired meanwhile
    return StoredEntry(key, kind, value, left_ms / 1000 if left_ms >= 0 else None, int(memory or 0))


@dataclass(frozen=True)
class Lives:
    """How long keys still live: (key, seconds, None for ever) of all that were looked at, the shortest first."""

    keys: list[tuple[str, float | None]]
    complete: bool

    @property
    def endless(self) -> int:
        """Keys that never expire."""
        return sum(left_s is None for _, left_s in self.keys)

    def document(self, most: int) -> dict[str, Any]:
        """The JSON document, with the `most` keys that end first."""
        shown = [{"key": key, "left_s": left_s} for key, left_s in self.keys[:most]]
        return {"schema": LIVES_SCHEMA, "keys": len(self.keys), "complete": self.complete, "endless": self.endless} | {
            "shown": shown
        }


async def read_lives(redis: AnyRedis, names: Names, wanted: Selection, most: int) -> Lives:
    """The remaining lives of the selected keys, of `most` of them at most. Raises redis-py's errors."""
    client: Any = redis
    found: dict[str, float | None] = {}
    complete = True
    async for keys in Search(redis, names, wanted).batches():
        async with client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.pttl(names.entry(key).encode(errors="surrogateescape"))
            for key, left_ms in zip(keys, await pipe.execute(), strict=True):
                if left_ms != -2:
                    found[key] = left_ms / 1000 if left_ms >= 0 else None
        if len(found) >= most:
            complete = False
            break
    ordered = sorted(found.items(), key=lambda one: float("inf") if one[1] is None else one[1])
    return Lives(ordered, complete)
