"""One process at a time makes a value; the others wait for it in the cache."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from dbz.cache.layers.encoding import decode
from dbz.cache.layers.remote import UnavailableError
from dbz.server.core import Core

_HELD_MS = 5000
_LANDING_MS = 500
"""From the end of the making until the value is surely in the cache."""
_POLL_S = 0.02


async def made_once(core: Core, key: str, make: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
    """What `make` returns, here or in the process that began earlier and puts it into the cache under `key`.

    Within a process the cache sees to that by itself. Without Redis, or when the other one takes too long, it is made
    here: twice is dearer than once, and never wrong. None is handed on, and not waited for by others.
    """
    name = f"flight:{key}"
    if await _is_first(core, name):
        value: bytes | None = None
        try:
            value = await make()
        finally:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await (core.redis.delete(name) if value is None else core.redis.pexpire(name, _LANDING_MS))
        return value
    made = await _made_elsewhere(core, key, name)
    return await make() if made is None else made


async def _is_first(core: Core, name: str) -> bool:
    try:
        return bool(await core.redis.set(name, b"", nx=True, px=_HELD_MS))
    except (RedisError, OSError, TimeoutError):
        return True


async def _made_elsewhere(core: Core, key: str, name: str) -> bytes | None:
    try:
        while await core.redis.exists(name):
            await asyncio.sleep(_POLL_S)
            _, (encoded,) = await core.cache.remote.read([key])
            if encoded is not None:
                value = decode(encoded)
                return value if isinstance(value, bytes) else None
    except (RedisError, OSError, TimeoutError, UnavailableError, ValueError):
        pass  # it is made here then
    return None
