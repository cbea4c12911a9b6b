"""JSON for the Socket.IO packets, by orjson."""

from __future__ import annotations

from typing import Any

import orjson


def dumps(data: Any, **_options: Any) -> str:
    """JSON text; the separators that the protocol library asks for are what orjson writes anyway."""
    return orjson.dumps(data).decode()


def loads(text: str | bytes, **_options: Any) -> Any:
    """The value of a JSON text; ValueError when it is none."""
    return orjson.loads(text)
