"""How values stand in Redis: JSON, and bytes as they are behind a mark that no JSON begins with."""

from __future__ import annotations

from typing import Any

import orjson

BYTES_MARK = b"\0"


def encode(value: Any) -> bytes:
    """The bytes to store for `value`; orjson's error for what is neither bytes nor JSON."""
    return BYTES_MARK + value if isinstance(value, bytes) else orjson.dumps(value)


def decode(encoded: bytes) -> Any:
    """The value of stored bytes; `ValueError` for what nobody here has stored."""
    return encoded[1:] if encoded.startswith(BYTES_MARK) else orjson.loads(encoded)
