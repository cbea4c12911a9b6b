"""One process at a time makes a value; the others wait for it in the cache."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError

from dbz.cache.layers.encoding import decode
from dbz.cache.layers.remote import UnavailableError
from dbz.server.core import Core

_HELD_MS = 5000
_LANDING_MS = 500
"""From the end of the making until the value is surely in the cache."""
_POLL_S = 0.02
_PATIENCE_S = 0.5


async def made_once(core: Core, key: str, make: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
    """What `make` returns, here or in the process that began earlier and puts it into the cache under `key`.

    Within a process the cache sees to that by itself. Without Redis, or when the other one takes too long, it is made
    here: twice is dearer than once, and never wrong. None is handed on, and not waited for by others.
    """
    name = f"flight:{key}"
    if await _said(core, lambda: core.redis.set(name, b"", nx=True, px=_HELD_MS), True):
        value: bytes | None = None
        try:
            value = await make()
        finally:
            await _said(core, lambda: _end(core, name, value is not None), 0)
        return value
    made = await _made_elsewhere(core, key, name)
    return await make() if made is None else made


def _end(core: Core, name: str, landing: bool) -> Awaitable[int]:
    return core.redis.pexpire(name, _LANDING_MS) if landing else core.redis.delete(name)


async def _made_elsewhere(core: Core, key: str, name: str) -> bytes | None:
    while await _said(core, lambda: core.redis.exists(name), 0):
        await asyncio.sleep(_POLL_S)
        try:
            _, (encoded,) = await core.cache.remote.read([key])
            value = None if encoded is None else decode(encoded)
        except (UnavailableError, ValueError):
            return None  # it is made here then
        if isinstance(value, bytes):
            return value
    return None


async def _said(core: Core, ask: Callable[[], Awaitable[Any]], otherwise: Any) -> Any:
    """What Redis says, in time; `otherwise` when it does not, or is being left alone by the cache."""
    if core.cache.remote.breaker.is_open:
        return otherwise
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await ask()
    except (RedisError, OSError, TimeoutError):
        return otherwise
