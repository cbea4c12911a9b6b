"""What libraries would load although a server has no use for it: a fifth of what the start of a server costs."""

from __future__ import annotations

import sys

_UNUSED = ("aiohttp", "httpx._main", "opentelemetry", "requests", "valkey", "websocket")
"""httpx's own command line, tracing by the Redis client, and the clients that Socket.IO has beside its server."""


def leave_out_unused() -> None:
    """Let the libraries find these packages missing, without which all of them do.

    For a program to call before it imports anything else; nothing in it can import them afterwards.
    """
    sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]  # what the import system documents
