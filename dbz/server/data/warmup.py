"""Warming the cache when the server starts, with the code and the file of `dbz cache warm`."""

from __future__ import annotations

import asyncio
import logging
import time

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from dbz.cache.names import Names
from dbz.cache.warm import WarmOrder, WarmRun
from dbz.config.warmup import Warmup, load_warmup
from dbz.errors import UsageError
from dbz.server.core import Core

NONE = "none"
_WAIT_S = 60.0
_POLL_S = 0.25
_ONE_AT_A_TIME_S = 30
_NAMES = Names("cache:")
_log = logging.getLogger(__name__)


def warmup_of(name: str) -> Warmup | None:
    """What the setting `cache.warmup` means; `UsageError` with every problem of the file that it names."""
    return None if name == NONE else load_warmup(name)


async def warm_at_start(core: Core) -> None:
    """Warm once the stores answer and hold data; one process does it for all. It never fails the server."""
    warmup = warmup_of(core.settings.cache.warmup)
    if warmup is None:
        return
    try:
        if not await _settled(core):
            _log.info("the cache was not warmed: the document store has no clubs")
        elif await core.redis.set(_NAMES.warming, "1", nx=True, ex=_ONE_AT_A_TIME_S):
            await core.redis.delete(_NAMES.warmed)  # of an earlier start
            report = await WarmRun(WarmOrder(warmup), core.router, core.redis, warmup.rate).run()
            await core.redis.set(_NAMES.warmed, "1")
            figures = {"keys": report.keys, "bytes": report.bytes, "seconds": round(report.seconds, 3)}
            _log.info("the cache is warm" if not report.stopped else "warming the cache ended early", extra=figures)
    except (UsageError, PyMongoError, RedisError, OSError, TimeoutError) as error:
        _log.warning("the cache was not warmed: %s", error)


async def is_warm(core: Core) -> bool:
    """Whether nothing of a warm-up is to come; raises the errors of the Redis client."""
    return core.settings.cache.warmup == NONE or await core.redis.get(_NAMES.warmed) is not None


async def _settled(core: Core) -> bool:
    """Wait until there are clubs and no demo data are being written; False when there are none after a while."""
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        try:
            # In this order: whoever writes demo data leaves a mark first, so clubs without a mark are no demo data.
            filled = await core.router.directory["clubs"].find_one({}, {"_id": 1}) is not None
            seeding = await core.router.directory["seeds"].find_one({"complete": False}, {"_id": 1}) is not None
            if filled and not seeding and core.router.version >= 0:
                return True
        except (PyMongoError, OSError, TimeoutError):
            pass  # not up yet
        await asyncio.sleep(_POLL_S)
    return False
