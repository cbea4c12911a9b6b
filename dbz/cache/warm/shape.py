"""From documents to cached values: the projection of a warmer, and the key template."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from string import Formatter
from typing import Any

import orjson
from bson import Decimal128, ObjectId

from dbz.cache.warm.databases import Databases, Document, holders
from dbz.config.warmup import Count, Join, NumberOf, Projected, key_fields

_ABSENT = object()
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS


def at(row: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """The value of a field, `default` when there is none; dots lead into fields."""
    value: Any = row
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return default
        value = value[name]
    return value


def encode(value: Any) -> bytes:
    """The bytes that the cache holds; `TypeError` for a value that JSON has no form for.

    Dates become `2026-11-23T06:34:00.000Z`, object ids and decimals text.
    """
    return orjson.dumps(value, _as_json, _OPTIONS)


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, ObjectId | Decimal128):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


class KeyTemplate:
    """A key with {fields} in it."""

    def __init__(self, template: str) -> None:
        self.fields = key_fields(template)
        self._parts = [(text, name) for text, name, _, _ in Formatter().parse(template)]

    def fill(self, row: Mapping[str, Any]) -> str | None:
        """The key of a row; None when the row lacks one of the fields."""
        out = []
        for text, name in self._parts:
            out.append(text)
            if name is not None:
                value = row.get(name, _ABSENT) if "." not in name else at(row, name, _ABSENT)
                if value is _ABSENT or value is None:
                    return None
                out.append(value if isinstance(value, str) else str(value))
        return "".join(out)


class Shape:
    """The values of a projection, for a whole batch of rows at a time, so that each join is one query."""

    def __init__(self, projection: Mapping[str, Projected], databases: Databases) -> None:
        self._plain = {name: spec for name, spec in projection.items() if isinstance(spec, str)}
        self._derived = {name: spec for name, spec in projection.items() if not isinstance(spec, str)}
        self._names = list(projection)
        self._databases = databases

    @property
    def fields(self) -> set[str]:
        """The fields of a document that the values are made of."""
        wanted = set(self._plain.values())
        for spec in self._derived.values():
            if isinstance(spec, Count):
                wanted |= {spec.count} | ({spec.at_least} if spec.at_least else set())
            else:
                wanted.add(spec.by if isinstance(spec, Join) else "_id")
        return wanted

    async def values(self, rows: list[Document]) -> list[dict[str, Any]]:
        """The value of each row."""
        plain = [(name, path, "." in path) for name, path in self._plain.items()]
        made = [{name: at(row, path) if dotted else row.get(path) for name, path, dotted in plain} for row in rows]
        for name, spec in self._derived.items():
            derive = await self._derive(spec, rows)
            for row, value in zip(rows, made, strict=True):
                value[name] = derive(row)
        return [{name: value[name] for name in self._names} for value in made] if self._derived else made

    async def _derive(self, spec: Projected, rows: list[Document]) -> Callable[[Document], Any]:
        if isinstance(spec, Count):
            return lambda row: _count(spec, row)
        if isinstance(spec, NumberOf):
            numbers = {row["_id"]: await self._number(spec, row["_id"]) for row in rows}
            return lambda row: numbers[row["_id"]]
        assert isinstance(spec, Join)
        found = await self._joined(spec, rows)
        return lambda row: _pick(spec, at(row, spec.by), found)

    async def _joined(self, spec: Join, rows: list[Document]) -> dict[Any, Document]:
        ids = {one for row in rows for one in _ids(at(row, spec.by))}
        found: dict[Any, Document] = {}
        wanted = dict.fromkeys(spec.projection.values(), 1)
        for database in holders(self._databases, shared=spec.shared) if ids else ():
            async for document in database[spec.join].find({"_id": {"$in": list(ids)}}, wanted):
                found[document["_id"]] = document
        return found

    async def _number(self, spec: NumberOf, identity: Any) -> int:
        homes = holders(self._databases, shared=spec.shared)
        return sum([await home[spec.number_of].count_documents({spec.by: identity}) for home in homes])


def _ids(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else () if value is None else (value,)


def _count(spec: Count, row: Document) -> int | bool:
    items = at(row, spec.count)
    number = len(items) if isinstance(items, list) else 0
    return number if spec.at_least is None else number >= (at(row, spec.at_least) or 0)


def _pick(spec: Join, ids: Any, found: Mapping[Any, Document]) -> Any:
    """The joined value: nothing for an unknown id, but in a list it keeps its place with its id."""
    if isinstance(ids, list):
        return [_projected(spec, found.get(one, {"_id": one})) for one in ids]
    return _projected(spec, found[ids]) if ids in found else None


def _projected(spec: Join, document: Document) -> dict[str, Any]:
    return {name: at(document, path) for name, path in spec.projection.items()}
