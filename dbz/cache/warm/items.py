"""Cached values that are ready to be written."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from dbz.cache.warm.databases import Databases, Document
from dbz.cache.warm.forms import Form, form_of
from dbz.cache.warm.shape import KeyTemplate, Shape, at, encode
from dbz.config.warmup import Warmer


class Item(NamedTuple):
    """One value; `id` names what it was made of, `version` is the value's own, encoded, or empty."""

    key: str
    value: bytes
    ttl_ms: int
    id: Any
    version: bytes = b""


class Unit(NamedTuple):
    """What is written together: `items` as they were when Redis's epoch was `epoch`, made of `documents` documents.

    `again` reads some of them anew, by their ids. `position` is where to go on after this unit, None when the warmer
    has no positions. `unusable` is how many documents gave no item.
    """

    items: list[Item]
    epoch: str
    documents: int
    unusable: int
    again: Callable[[set[Any]], Awaitable[list[Item]]]
    position: Any = None


class Renderer:
    """Makes items of a warmer's documents."""

    def __init__(self, warmer: Warmer, databases: Databases, jitter: float) -> None:
        assert warmer.projection is not None
        self._shape = Shape(warmer.projection, databases, warmer.club_field)
        self._key = KeyTemplate(warmer.key)
        self._ttl_ms = warmer.ttl * 1000
        self._jitter = jitter
        self._version = warmer.version
        self._encode = form_of(warmer.type)
        self._more = {warmer.club_field, *warmer.sort}
        self.reasons: Counter[str] = Counter()
        """Why documents gave no item, naming the field, and how many."""

    @property
    def fields(self) -> dict[str, int]:
        """The projection for `find`: what keys and values are made of, what names the club, and what sorts."""
        wanted = sorted({*self._shape.fields, *self._key.fields, *self._more, "_id"})
        # A field inside another that is wanted as a whole would be a collision for the store.
        return {path: 1 for path in wanted if not any(path.startswith(f"{other}.") for other in wanted)}

    async def items(self, rows: list[Document]) -> list[Item]:
        """An item for each row that has all fields of the key and a form in JSON."""
        out = []
        for row, value in zip(rows, await self._shape.values(rows), strict=True):
            key = self._key.fill(row)
            if key is None:
                lacking = next(name for name in self._key.fields if at(row, name) is None)
                self.reasons[f"no '{lacking}', which the key is made of"] += 1
                continue
            try:
                encoded = self._encode(value)
                version = encode(value[self._version]) if self._version else b""
            except TypeError:
                self.reasons[_formless(value, self._encode)] += 1
                continue
            out.append(Item(key, encoded, jittered_ms(self._ttl_ms, self._jitter), row["_id"], version))
        return out


def _formless(value: dict[str, Any], form: Form) -> str:
    """Which field of a value has no such form."""
    for name, part in value.items():
        try:
            form({name: part})
        except TypeError:
            return f"'{name}' has no form in the cache ({type(part).__name__})"
    return "no form in the cache"


def jittered_ms(ttl_ms: float, jitter: float) -> int:
    """A time to live, shortened at random by up to a share `jitter`, in whole milliseconds."""
    return max(1, int(ttl_ms * (1.0 - random.random() * jitter)))
