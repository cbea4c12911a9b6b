"""From documents to cached values: the projection of a warmer, and the key template."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from string import Formatter
from typing import Any

import orjson
from bson import Decimal128, ObjectId

from dbz.cache.warm.databases import Database, Databases, Document
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
    return orjson.dumps(value, as_json, _OPTIONS)


def as_json(value: Any) -> Any:
    """What stands in JSON for a value that it has no form for; `TypeError` when nothing does."""
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
    """The values of a projection, for a whole batch of rows at a time, so that each join is one query.

    A join or a number is looked up in the directory when its collection is `shared`, else where the row's club is.
    """

    def __init__(self, projection: Mapping[str, Projected], databases: Databases, club_field: str) -> None:
        self._plain = [(name, spec, "." in spec) for name, spec in projection.items() if isinstance(spec, str)]
        self._derived = {name: spec for name, spec in projection.items() if not isinstance(spec, str)}
        self._names = list(projection)
        self._databases = databases
        self._club_field = club_field

    @property
    def fields(self) -> set[str]:
        """The fields of a document that the values are made of."""
        wanted = {path for _, path, _ in self._plain}
        for spec in self._derived.values():
            if isinstance(spec, Count):
                wanted |= {spec.count} | ({spec.at_least} if spec.at_least else set())
            else:
                wanted.add(spec.by if isinstance(spec, Join) else "_id")
        return wanted

    async def values(self, rows: list[Document]) -> list[dict[str, Any]]:
        """The value of each row."""
        plain = self._plain
        made = [{name: at(row, path) if dotted else row.get(path) for name, path, dotted in plain} for row in rows]
        for name, spec in self._derived.items():
            derive = await self._derive(spec, rows)
            for row, value in zip(rows, made, strict=True):
                value[name] = derive(row)
        return [{name: value[name] for name in self._names} for value in made] if self._derived else made

    async def _derive(self, spec: Projected, rows: list[Document]) -> Callable[[Document], Any]:
        if isinstance(spec, Count):
            return lambda row: _count(spec, row)
        assert isinstance(spec, NumberOf | Join)
        places: dict[int, tuple[Database, list[Document]]] = {}
        for row in rows:
            place = self._place(spec, row)
            places.setdefault(id(place), (place, []))[1].append(row)
        found: dict[Any, Any] = {}
        for place, there in places.values():
            found |= await (_joined(spec, there, place) if isinstance(spec, Join) else _numbers(spec, there, place))
        if isinstance(spec, Join):
            return lambda row: _pick(spec, at(row, spec.by), found)
        return lambda row: found[row["_id"]]

    def _place(self, spec: Join | NumberOf, row: Document) -> Database:
        club = None if spec.shared else at(row, self._club_field)
        return self._databases.directory if club is None else self._databases.reading(club)


async def _joined(spec: Join, rows: list[Document], place: Database) -> dict[Any, Document]:
    ids = {one for row in rows for one in _ids(at(row, spec.by))}
    if not ids:
        return {}
    wanted = dict.fromkeys(spec.projection.values(), 1)
    found = await place[spec.join].find({"_id": {"$in": list(ids)}}, wanted).to_list()
    return {document["_id"]: document for document in found}


async def _numbers(spec: NumberOf, rows: list[Document], place: Database) -> dict[Any, int]:
    table = place[spec.number_of]
    return {row["_id"]: await table.count_documents({spec.by: row["_id"]}) for row in rows}


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
