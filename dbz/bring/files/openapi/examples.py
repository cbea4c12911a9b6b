"""Values for parameters, bodies and answers: a document's examples, else its defaults, else what fits the schema."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dbz.bring.files.openapi.document import ApiDocument, Json

_MAX_DEPTH = 12
"""Schemas that refer to others are followed this far."""
_MAX_SCHEMAS = 2_000
"""So many schemas are looked at for one value: those that all refer to each other would make trees without an end."""
_MOST_ITEMS = 100
_LARGEST = 1e15
_BY_FORMAT = {
    "date": "2026-01-31", "date-time": "2026-01-31T12:00:00Z", "uuid": "00000000-0000-4000-8000-000000000001",
    "email": "someone@example.org",
    "uri": "https://example.org/", "ipv4": "192.0.2.1", "byte": "ZGJ6", "password": "password",
}  # fmt: skip


class InventedText(str):
    """A text of which the document only says what it must look like."""

    __slots__ = ()


class Examples:
    """The values of one document."""

    def __init__(self, document: ApiDocument) -> None:
        self._document = document
        self._left = 0
        self._whole = False

    def value_of(self, holder: Json, *, whole: bool = False) -> Any:
        """The value of a parameter or a body: its example, one of its examples, or one that fits its schema.

        `whole` asks for an object with all that it may have, and not only with what it must.
        """
        if "example" in holder:
            return holder["example"]
        for example in (holder.get("examples") or {}).values() if isinstance(holder.get("examples"), dict) else ():
            followed = self._document.followed(example)
            if "value" in followed:  # else it lies in another document
                return followed["value"]
        if "x-example" in holder:
            return holder["x-example"]
        self._left, self._whole = _MAX_SCHEMAS, whole
        return self._example(holder.get("schema") or (holder if self._document.old else {}))

    def _example(self, schema: Any, around: Sequence[str] = ()) -> Any:
        """A value that fits a schema; None where the schema refers to one of those `around` it, or goes too deep."""
        reference = str(schema.get("$ref") or "") if isinstance(schema, dict) else ""
        self._left -= 1
        if (reference and reference in around) or len(around) > _MAX_DEPTH or self._left < 0:
            return None
        around = [*around, reference]
        schema = self._document.followed(schema)
        for key in ("example", "default", "const"):
            if key in schema:
                return schema[key]
        for key in ("examples", "enum"):
            if isinstance(schema.get(key), list) and schema[key]:
                return schema[key][0]
        if isinstance(schema.get("allOf"), list) and schema["allOf"]:
            own = [{name: part for name, part in schema.items() if name != "allOf"}] if "properties" in schema else []
            parts = [self._example(part, around) for part in (*schema["allOf"], *own)]
            objects = [part for part in parts if isinstance(part, dict)]
            return {key: value for part in objects for key, value in part.items()} if objects else parts[0]
        for key in ("oneOf", "anyOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                told = [part for part in schema[key] if not (isinstance(part, dict) and part.get("type") == "null")]
                return _told_apart(schema, told[0], self._example(told[0], around)) if told else None
        return self._plain_example(schema, around)

    def _plain_example(self, schema: Json, around: Sequence[str]) -> Any:
        kind = schema.get("type")
        kind = next((name for name in kind if name != "null"), "null") if isinstance(kind, list) else kind
        if kind == "object" or "properties" in schema:
            properties = schema.get("properties")
            properties = properties if isinstance(properties, dict) else {}
            needed = (not self._whole and schema.get("required")) or list(properties)
            hidden = "writeOnly" if self._whole else "readOnly"
            wanted = [
                name
                for name in (needed if isinstance(needed, list) else ())
                if name in properties and not self._document.followed(properties[name]).get(hidden)
            ]
            filled = {name: self._example(properties[name], around) for name in wanted}
            return {name: value for name, value in filled.items() if value is not None}
        if kind == "array":
            item = self._example(schema.get("items") or {}, around)
            return [] if item is None else [item] * min(_length(schema, "minItems", 1), _MOST_ITEMS)
        if kind in ("integer", "number"):
            return _number(schema)
        if kind == "boolean":
            return True
        text = _BY_FORMAT.get(str(schema.get("format")), "text")
        return InventedText(text.ljust(_length(schema, "minLength", 0), "x")[: _length(schema, "maxLength", 10_000)])


def _told_apart(schema: Json, chosen: Any, value: Any) -> Any:
    """A value of one of several schemas, with the name of that schema where a discriminator asks for it."""
    told = schema.get("discriminator")
    name = told.get("propertyName") if isinstance(told, dict) else None
    reference = str(chosen.get("$ref") or "") if isinstance(chosen, dict) else ""
    known = value.get(name, InventedText()) if isinstance(value, dict) else None
    if not isinstance(name, str) or not reference or not isinstance(known, InventedText):
        return value  # a document that fixes the property itself has said it
    mapping = told.get("mapping") if isinstance(told, dict) else None
    last = reference.rsplit("/", 1)[-1]
    names = [key for key, where in mapping.items() if where in (reference, last)] if isinstance(mapping, dict) else []
    return {**value, name: names[0] if names else last}


def _number(schema: Json) -> Any:
    """A number within the bounds of a schema, the least where it has one."""
    low, step = _bound(schema.get("minimum")), _bound(schema.get("multipleOf")) or 0
    above = _bound(schema.get("exclusiveMinimum"))
    strictly = schema.get("exclusiveMinimum") is True
    if above is not None and (low is None or above >= low):
        low, strictly = above, True
    high = _bound(schema.get("maximum"))
    if low is None:
        value: int | float = step or 1
        return value if high is None or value <= high else high // step * step if step else high
    if step:
        value = math.ceil(low / step) * step
        return value + step if strictly and value <= low else value
    return low + 1 if strictly else low


def _bound(value: Any) -> int | float | None:
    """A number of a schema within the reach of computers; None for anything else."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
    return value if fits else None


def _length(schema: Json, key: str, otherwise: int) -> int:
    value = schema.get(key)
    return min(value, 10_000) if isinstance(value, int) and value > 0 else otherwise


def text_of(value: Any) -> str:
    """A value as it stands in a URL, a header or a form."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(text_of, value)) if isinstance(value, list) else str(value)
