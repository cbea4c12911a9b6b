"""The forms of a cached value in Redis: JSON, as the app has it; or a hash, MessagePack, or one field as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from dbz.cache.warm.shape import as_json, encode
from dbz.config.warmup import HASH

Form = Callable[[Mapping[str, Any]], bytes]


def form_of(kind: str) -> Form:
    """What makes the bytes of a value; each raises `TypeError` for what has no such form."""
    return {"json": encode, "msgpack": _msgpack, "raw": _raw, HASH: _hash}[kind]


def _msgpack(value: Mapping[str, Any]) -> bytes:
    import msgpack  # type: ignore[import-untyped]

    try:
        packed: bytes = msgpack.packb(value, default=as_json, use_bin_type=True)
    except (ValueError, OverflowError) as error:
        raise TypeError(str(error)) from error
    return packed


def _raw(value: Mapping[str, Any]) -> bytes:
    """The one field: bytes and texts as they are, anything else as JSON."""
    (part,) = value.values()
    if part is None:
        raise TypeError("nothing")
    if isinstance(part, bytes):
        return bytes(part)
    return part.encode(errors="surrogateescape") if isinstance(part, str) else encode(part)


def _hash(value: Mapping[str, Any]) -> bytes:
    """Fields and their texts in turn, as JSON for the script that writes them; what is null is no field."""
    parts: list[str] = []
    for name, part in value.items():
        if part is not None:
            parts += [name, part if isinstance(part, str) else encode(part).decode()]
    if not parts:
        raise TypeError("no field has a value")
    return orjson.dumps(parts)


def fields_of(encoded: bytes) -> dict[bytes, bytes]:
    """The hash that such a JSON text stands for, as Redis gives it."""
    parts = [part.encode() for part in orjson.loads(encoded)]
    return dict(zip(parts[0::2], parts[1::2], strict=True))
