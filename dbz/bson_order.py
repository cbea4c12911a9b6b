"""The order of BSON values, as the server sorts them.

https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/: by type first, numbers of all kinds together,
strings by their bytes, documents field by field. A missing field sorts like null, an array by its least element
(greatest when descending), an empty one before null.
"""

from __future__ import annotations

import datetime
import functools
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from bson import Binary, Code, DatetimeMS, DBRef, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp

Key = tuple[Any, ...]
_EMPTY_ARRAY: Key = (1.5,)
_NULL: Key = (2,)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def order_key(value: Any) -> Key:
    """A key that compares like the server compares the value."""
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return (9, value)
    if isinstance(value, int | float | Decimal128):
        return (3, *_number(value))
    if isinstance(value, str) and not isinstance(value, Code):
        return (4, value.encode("utf-8", "surrogatepass"))
    for kind, make in _KINDS:
        if isinstance(value, kind):
            key: Key = make(value)
            return key
    raise TypeError(f"a {type(value).__name__} has no place in the order of BSON values")


def sort_key(document: Mapping[str, Any], order: Sequence[tuple[str, int]]) -> Key:
    """A key that sorts documents by several fields, each ascending (1) or descending (-1)."""
    return tuple(_field_key(document, path, direction) for path, direction in order)


def _field_key(document: Mapping[str, Any], path: str, direction: int) -> Any:
    found = _values(document, path.split("."))
    choose = min if direction > 0 else max
    key = choose(found) if found else _NULL
    return key if direction > 0 else Descending(key)


def _values(value: Any, path: Sequence[str]) -> list[Key]:
    """The keys of all values at a path; an array on the way, or at its end, stands for each of its elements."""
    if not path:
        if isinstance(value, list):
            return [order_key(element) for element in value] or [_EMPTY_ARRAY]
        return [order_key(value)]
    if isinstance(value, Mapping):
        return _values(value[path[0]], path[1:]) if path[0] in value else [_NULL]
    if isinstance(value, list):
        if path[0].isdigit() and int(path[0]) < len(value):
            return _values(value[int(path[0])], path[1:])
        return [key for element in value if isinstance(element, Mapping) for key in _values(element, path)]
    return [_NULL]


@functools.total_ordering
class Descending:
    """A key turned round."""

    __slots__ = ("key",)

    def __init__(self, key: Key) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Descending) and self.key == other.key

    def __lt__(self, other: Descending) -> bool:
        return other.key < self.key

    __hash__ = None  # type: ignore[assignment]


def _number(value: float | Decimal128) -> Key:
    if isinstance(value, Decimal128):
        decimal = value.to_decimal()
        return (0, 0) if decimal.is_nan() else (1, decimal)
    return (0, 0) if math.isnan(value) else (1, value)


def _milliseconds(value: datetime.datetime) -> int:
    """Since 1970, as the store has it: dates beyond Python's years come as such a number."""
    aware = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
    return (aware - _EPOCH) // datetime.timedelta(milliseconds=1)


def _document(value: Mapping[str, Any]) -> Key:
    fields = (
        ((key := order_key(field))[0], name.encode("utf-8", "surrogatepass"), key) for name, field in value.items()
    )
    return (5, tuple(fields))


def _binary(value: Any) -> Key:
    return (7, len(value), getattr(value, "subtype", 0), bytes(value))


_KINDS: tuple[tuple[Any, Any], ...] = (
    (MinKey, lambda _: (1,)),
    (DBRef, lambda value: _document(value.as_doc())),
    (Mapping, _document),
    (list, lambda value: (6, tuple(order_key(element) for element in value))),
    (Binary, _binary),
    (bytes, _binary),
    (uuid.UUID, lambda value: (7, 16, 4, value.bytes)),
    (ObjectId, lambda value: (8, value.binary)),
    (datetime.datetime, lambda value: (10, _milliseconds(value))),
    (DatetimeMS, lambda value: (10, int(value))),
    (Timestamp, lambda value: (11, value.time, value.inc)),
    (Regex, lambda value: (12, value.pattern, value.flags)),
    (Code, lambda value: (13, str(value))),
    (MaxKey, lambda _: (127,)),
)
