"""Making a selection of keys stale in every layer of every process, from outside."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dbz.background import uncut
from dbz.cache.admin.selection import Search, Selection
from dbz.cache.layers.lua import ANNOUNCE
from dbz.cache.layers.remote import LOG_LENGTH
from dbz.cache.names import Names
from dbz.cache.nodes import AnyRedis, Nodes

SCHEMA = "dbz.cache-invalidation/1"


@dataclass
class Purge:
    """What was done: keys removed from Redis, processes that were listening, the epoch after it.

    `complete` is False while it is under way, and stays so when it was interrupted.
    """

    removed: int = 0
    listeners: int = 0
    epoch: int = 0
    seconds: float = 0.0
    complete: bool = False

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {"schema": SCHEMA, **vars(self), "next_steps": ["dbz cache warm", "dbz cache stats"]}


async def purge(
    redis: AnyRedis, names: Names, wanted: Selection, done: Purge, shown: Callable[[int], None] = lambda _: None
) -> None:
    """Announce the selection, remove its keys, announce it again; `done` is kept up to date, `shown` sees its number.

    The first announcement keeps values that are being loaded now from being stored; the second clears what somebody
    read from Redis before it was removed there. Each is counted, so that no warm-up goes on from where an earlier one
    stopped, whose keys may be among those removed. Raises redis-py's errors.
    """
    began = time.monotonic()
    announce = redis.register_script(ANNOUNCE + "return e")
    where, origin = [names.epoch, names.log, names.channel], uuid.uuid4().hex

    async def announce_all() -> None:
        for pattern in wanted.announced:
            done.epoch = int(await announce(keys=where, args=[pattern, LOG_LENGTH, origin]))
        await redis.execute_command("INCR", names.purges)  # the client's own `incr` is INCRBY, one more to be permitted

    await announce_all()
    async for keys in Search(redis, names, wanted).batches():
        await uncut(_remove(redis, [names.entry(key).encode(errors="surrogateescape") for key in keys], done))
        done.seconds = time.monotonic() - began
        shown(done.removed)
    await announce_all()
    done.listeners = await _listeners(redis, names.channel)
    done.seconds, done.complete = time.monotonic() - began, True


async def _remove(redis: AnyRedis, entries: list[bytes], done: Purge) -> None:
    done.removed += await Nodes(redis).unlink(entries)


async def _listeners(redis: AnyRedis, channel: str) -> int:
    """How many processes hear of invalidations at once."""
    return sum(int(count) for _, count in await redis.pubsub_numsub(channel))
