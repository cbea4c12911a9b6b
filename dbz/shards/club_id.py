"""Ids of clubs: any BSON scalar, as one text that map, journal and plans hold, and what the app's hash makes of it.

A text stands for itself. Other types have a form that no text has, for a text that looks like one is wrapped as well:

    ObjectId                  {"$oid":"65f0c0ffee0123456789abcd"}     hashed as its 24 hexadecimal digits
    a whole number, any type  {"$number":"42"}                        hashed as its decimal digits
    another number            {"$number":"1.5"}, {"$decimal":"0.10"}  hashed as these characters
    UUID (binary, subtype 4)  {"$uuid":"c8edabc3-…"}                  hashed as its 36 characters
    a text that begins {"$    {"$string":"{\\"$a…"}                    hashed as the text
    anything else             {"$bson":"<base64 of {\\"\\": value}>"}    hashed as that base64

What is hashed is what `String(id)` gives in JavaScript, where it says more than "[object Object]". The store takes
whole numbers of different types for equal, and so does this. Null, a list, a document and NaN are no ids.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from bson import Binary, Decimal128, ObjectId, decode, encode
from bson.errors import BSONError

from dbz.shards.legacy import legacy_hash

_WRAPPED = '{"$'
_UUID_SUBTYPE = 4
_INT64 = 2**63
_JAVASCRIPT_ZEROS = -6


def club_text(value: Any) -> str | None:
    """The text for a club's id as the store has it; None for what is no id."""
    if isinstance(value, str):
        return str(value) if not value.startswith(_WRAPPED) else _wrapped("string", value)
    if isinstance(value, ObjectId):
        return _wrapped("oid", str(value))
    if value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, UUID):
        return _wrapped("uuid", str(value))
    if isinstance(value, Binary) and value.subtype == _UUID_SUBTYPE and len(value) == 16:
        return _wrapped("uuid", str(UUID(bytes=bytes(value))))
    if isinstance(value, int | float | Decimal128) and not isinstance(value, bool):
        return _number(value)
    return _wrapped("bson", base64.b64encode(encode({"": value})).decode())


def club_value(text: str) -> Any:
    """The id that a text stands for, as the store has it; `ValueError` for a text that begins like one and is none."""
    if not text.startswith(_WRAPPED):
        return text
    kind, inner = _unwrapped(text)
    try:
        return _READERS[kind](inner)
    except (KeyError, ValueError, TypeError, ArithmeticError, BSONError) as error:
        raise ValueError(f"'{text}' is not the id of a club") from error


def club_hash(text: str) -> int:
    """The app's hash of a club: 0 to 2^31."""
    return legacy_hash(text if not text.startswith(_WRAPPED) else _unwrapped(text)[1])


def at(document: Any, path: str) -> Any:
    """The value of a field, None when there is none; dots lead into fields."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def readings(typed: str) -> list[str]:
    """What a person may mean by an id that was typed: the text itself first, then a number, an ObjectId, a UUID."""
    found = [typed]
    if typed.removeprefix("-").isdigit() and typed.isascii():
        found.append(_wrapped("number", str(int(typed))))
    if ObjectId.is_valid(typed):
        found.append(_wrapped("oid", typed.lower()))
    if len(typed) == 36:
        found.append(_wrapped("uuid", typed.lower()))
    return found


def _number(value: float | Decimal128) -> str | None:
    if isinstance(value, Decimal128):
        decimal = value.to_decimal()
        if not decimal.is_finite():
            return None
        whole = decimal == decimal.to_integral_value()
        return _wrapped("number", str(int(decimal))) if whole else _wrapped("decimal", str(value))
    if not math.isfinite(value):
        return None
    return _wrapped("number", str(int(value)) if value == int(value) else _as_in_javascript(value))


def _as_in_javascript(value: float) -> str:
    """A fraction as `String(value)` gives it: the shortest digits, and a power of ten only below a millionth."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    text, point = "".join(map(str, digits)).rstrip("0"), len(digits) + exponent
    minus = "-" if sign else ""
    if point > 0:
        return f"{minus}{text[:point]}.{text[point:]}"
    if point > _JAVASCRIPT_ZEROS:
        return f"{minus}0.{'0' * -point}{text}"
    return f"{minus}{text[0]}{'.' if text[1:] else ''}{text[1:]}e{point - 1}"


def _whole(text: str) -> Any:
    if not text.removeprefix("-").isdigit():
        return float(text)
    number = int(text)
    if -_INT64 <= number < _INT64:
        return number
    return float(number) if int(float(number)) == number else Decimal128(text)


_READERS: dict[str, Any] = {
    "string": str,
    "oid": ObjectId,
    "number": _whole,
    "decimal": Decimal128,
    "uuid": lambda text: Binary.from_uuid(UUID(text)),
    "bson": lambda text: decode(base64.b64decode(text, validate=True))[""],
}


def _wrapped(kind: str, text: str) -> str:
    return f'{{"${kind}":{json.dumps(text, ensure_ascii=False)}}}'


def _unwrapped(text: str) -> tuple[str, str]:
    try:
        ((name, inner),) = json.loads(text).items()
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"'{text}' is not the id of a club") from error
    return str(name)[1:], str(inner)
