"""The libraries of watching without what they load beside them only because it is installed: a sixth of the memory.

The HTTP client would bring its own command line and a second event loop, the Redis client telemetry, and the client of
document stores another TLS library, which matters only where a store is reached with TLS.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from dbz.config.monitor.file import MonitorFile

_NEVER_USED = ("httpx._main", "trio", "opentelemetry")
_OTHER_TLS = "pymongo.pyopenssl_context"
"""Adds the check of revoked certificates to the TLS of the standard library."""
_TLS_OF_STORES = ("tls", "ssl", "+srv")
"""What is in the URI of a store that is reached with TLS."""


def load_clients(config: MonitorFile) -> None:
    """Load the clients of what a file watches, as small as they can be; what is loaded already stays as it is."""
    wanted = ["httpcore", "httpx"]
    wanted += ["redis.asyncio"] if config.redis or config.queues else []
    wanted += ["pymongo"] if config.stores or config.shards else []
    with_tls = config.shards or any(word in store.uri.lower() for store in config.stores for word in _TLS_OF_STORES)
    with _left_out(_NEVER_USED if with_tls else (*_NEVER_USED, _OTHER_TLS)):
        for name in wanted:
            with suppress(ImportError):  # whoever needs it says so, and how it is installed
                importlib.import_module(name)


@contextmanager
def _left_out(names: Sequence[str]) -> Iterator[None]:
    """Modules that cannot be imported for the time being; a library takes them for not installed."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None is how an import is refused
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)
