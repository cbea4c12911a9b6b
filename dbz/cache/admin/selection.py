"""Which keys a person wants to make stale: by glob, by club, or by what is in the value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dbz.cache.glob import compile_glob, escape
from dbz.cache.names import Names, family
from dbz.cache.nodes import AnyRedis, Nodes
from dbz.cache.problems import permitted
from dbz.errors import UsageError

EVERYTHING = "*"
_EXAMPLES = 5


@dataclass(frozen=True)
class Selection:
    """Keys that match one of `patterns`, and keys whose JSON value holds one of `fields` (name, value) somewhere."""

    patterns: tuple[str, ...]
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def announced(self) -> tuple[str, ...]:
        """The globs to announce: what cannot be told by its key may be any key."""
        return (EVERYTHING,) if self.fields else self.patterns

    @property
    def scanned(self) -> tuple[str, ...]:
        """The globs to search Redis by."""
        return (EVERYTHING,) if self.fields else self.patterns


def selection(patterns: Sequence[str], clubs: Sequence[str], tags: Sequence[str]) -> Selection:
    """Globs, everything of some clubs, and everything that shows FIELD:VALUE; `UsageError` for a tag without a colon.

    A club's keys name it (`query:posts:<club>:…`, `club:<club>`), or their values do (`"club_id": "<club>"`).
    """
    fields = []
    for tag in tags:
        name, colon, value = tag.partition(":")
        if not (name and colon and value):
            raise UsageError(f"'{tag}' is not a tag; write FIELD:VALUE, for example author_id:user0003", code="E002")
        fields.append((name, value))
    globs = [glob for club in clubs for glob in (f"*:{escape(club)}", f"*:{escape(club)}:*")]
    return Selection((*patterns, *globs), (*fields, *(("club_id", club) for club in clubs)))


@dataclass
class SelectedKeys:
    """How many keys were found, by family, and some of them."""

    families: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def keys(self) -> int:
        """How many in all."""
        return self.families.total()

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        families = dict(self.families.most_common())
        return {"schema": "dbz.cache-keys/1", "keys": self.keys, "families": families, "examples": self.examples}

    def add(self, key: str) -> None:
        """Count one."""
        self.families[family(key)] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(key)


class Search:
    """Finds the selected keys of a cache, batch by batch."""

    def __init__(self, redis: AnyRedis, names: Names, wanted: Selection) -> None:
        self._redis: Any = redis
        self._names = names
        self._wanted = wanted
        self._matches = [compile_glob(pattern).fullmatch for pattern in wanted.patterns]
        self._snippets = [snippet for name, value in wanted.fields for snippet in _snippets(name, value)]

    async def batches(self) -> AsyncIterator[list[str]]:
        """The keys, without the prefix; one may come twice while Redis reorganises itself."""
        start = len(self._names.prefix)
        for pattern in self._wanted.scanned:
            async for batch in Nodes(self._redis).scan(self._names.glob(pattern)):
                keys = [raw.decode(errors="surrogateescape")[start:] for raw in batch]
                chosen = await self._holding(keys) if self._snippets else keys
                if chosen:
                    yield chosen

    async def found(self) -> SelectedKeys:
        """All of them, counted."""
        found, seen = SelectedKeys(), set[str]()
        async for keys in self.batches():
            for key in keys:
                if key not in seen:
                    seen.add(key)
                    found.add(key)
        return found

    async def _holding(self, keys: list[str]) -> list[str]:
        """Those keys that match a glob, or whose value holds a field."""
        chosen = [any(matches(key) for matches in self._matches) for key in keys]
        asked = [at for at, is_chosen in enumerate(chosen) if not is_chosen]
        async with self._redis.pipeline(transaction=False) as pipe:
            for at in asked:
                pipe.get(self._names.entry(keys[at]))
            values = await pipe.execute(raise_on_error=False) if asked else []  # some may be no texts
        permitted(values)
        for at, value in zip(asked, values, strict=True):
            chosen[at] = isinstance(value, bytes) and any(snippet in value for snippet in self._snippets)
        return [key for key, is_chosen in zip(keys, chosen, strict=True) if is_chosen]


def _snippets(name: str, value: str) -> list[bytes]:
    """How a field with this value may stand in compact or spaced JSON; digits may be a number."""
    start, ends = _json_text(name), [_json_text(value)]
    if value.isascii() and value.removeprefix("-").isdigit():
        ends += [f"{value}{end}".encode() for end in ",}"]
    return [start + colon + end for colon in (b":", b": ") for end in ends]


def _json_text(text: str) -> bytes:
    """A text as it stands in JSON; bytes that are no UTF-8 stay what they are."""
    return json.dumps(text, ensure_ascii=False).encode(errors="surrogateescape")
