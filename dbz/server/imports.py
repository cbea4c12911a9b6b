"""Loading the libraries of a server: without those for which it has no use, and without a search for garbage."""

from __future__ import annotations

import gc
import sys

_UNUSED = ("aiohttp", "httpx._main", "opentelemetry", "requests", "valkey", "websocket")
"""httpx's own command line, tracing by the Redis client, and the clients that Socket.IO has beside its server."""


def load_quickly() -> None:
    """Let the libraries find these packages missing, without which all of them do, and search for no garbage.

    For a program to call before it imports anything else; nothing in it can import those packages afterwards. It is to
    call `all_loaded` then. The two are a third of what the start of a server costs.
    """
    sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]  # what the import system documents
    gc.disable()


def all_loaded() -> None:
    """Search for garbage again, but never in what was loaded; workers share that memory for longer, too."""
    gc.freeze()
    gc.enable()
