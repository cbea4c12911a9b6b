"""Keeping a process's map in step with the control store: told by Redis at once, and by polling when that fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.background import end
from dbz.shards.control import ROUTER_LEASE_S, ROUTERS
from dbz.shards.follow.gate import WriteGate
from dbz.shards.map import ShardMap
from dbz.shards.map_store import CHANNEL, MAP_COLLECTION, MAP_ID

_log = logging.getLogger(__name__)
_RENEW_S = 1.0
_NOWHERE = -1


class MapFollower:
    """Background work of one process that uses the map; `start` it in the event loop that uses `gate`.

    `name` must be this process's own among all. Until a deployment is adopted the map is `unadopted`. What this
    process has seen, and drained, it writes to the control store, where those who move clubs wait for it.
    """

    def __init__(
        self, control: AsyncDatabase[Any], unadopted: ShardMap, name: str, redis: Redis | None, poll_s: float = 0.2
    ) -> None:
        self.gate = WriteGate()
        self._control = control
        self._unadopted = unadopted
        self._name = name
        self._redis = redis
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._reported = -1
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def map(self) -> ShardMap:
        """The map in force; the app's own formula until another is known."""
        return self.gate.map or self._unadopted

    def start(self) -> None:
        """Begin to follow."""
        work = [self._poll(), *([self._listen(self._redis)] if self._redis is not None else [])]
        self._tasks = [asyncio.create_task(one) for one in work]

    async def stop(self) -> None:
        """End, and say so, so that nobody waits for this process."""
        await end(self._tasks)
        self.gate.renewed_at = float("-inf")
        with contextlib.suppress(PyMongoError, OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._control[ROUTERS].delete_one({"_id": self._name})

    async def catch_up(self) -> bool:
        """Fetch the map, follow it, and report; whether there is nothing to look at again at once."""
        if time.monotonic() - self.gate.renewed_at > ROUTER_LEASE_S / 2:
            # On the list before the map is read: whoever fences a club after that waits for this process.
            await self._write_entry(_NOWHERE)
        document = await self._control[MAP_COLLECTION].find_one({"_id": MAP_ID})
        found = ShardMap.from_document(document) if document else self._unadopted
        if self.gate.map is None or found.epoch != self.gate.map.epoch or found.deployment != self.gate.map.deployment:
            self.gate.apply(found)
        for fence in self.gate.overrun():
            await self._lift(found, fence.move)
        return await self._report()

    async def _report(self) -> bool:
        """Renew this process's entry; whether its epoch counts: once no write is under way that it forbids."""
        assert self.gate.map is not None
        fenced = bool(self.gate.map.fenced or self.gate.map.closed)
        try:
            async with asyncio.timeout(self._poll_s if fenced else None):
                epoch = await self.gate.drained()
        except TimeoutError:
            epoch = self._reported
        is_drained = epoch == self.gate.map.epoch
        begin = time.monotonic()
        if epoch == self._reported and begin - self.gate.renewed_at < _RENEW_S:
            return is_drained
        await self._write_entry(epoch)
        # From before the request: the store's own time of it is later, so this process gives up sooner than others it.
        self.gate.renewed_at, self._reported = begin, epoch
        return is_drained

    async def _write_entry(self, epoch: int) -> None:
        change = {"$set": {"epoch": epoch}, "$currentDate": {"seen": True}}
        await self._control[ROUTERS].update_one({"_id": self._name}, change, upsert=True)

    async def _lift(self, seen: ShardMap, move: str) -> None:
        """Take away a fence whose owner is gone; its flip cannot happen any more, for the epoch rises."""
        fenced = {club: fence for club, fence in seen.fenced.items() if fence.move != move}
        closed = {slot: fence for slot, fence in seen.closed.items() if fence.move != move}
        following = seen.next(fenced=fenced, closed=closed)
        wanted = {"_id": MAP_ID, "deployment": seen.deployment, "epoch": seen.epoch}
        done = await self._control[MAP_COLLECTION].replace_one(wanted, following.document())
        if done.matched_count:
            _log.warning("the fence of move %s stood too long and was taken away", move)
            self.gate.apply(following)
            if self._redis is not None:
                with contextlib.suppress(RedisError, OSError, TimeoutError):
                    await self._redis.publish(CHANNEL, str(following.epoch))

    async def _poll(self) -> None:
        while True:
            is_drained = True
            try:
                self._wake.clear()
                is_drained = await self.catch_up()
            except (PyMongoError, OSError, TimeoutError) as error:
                _log.warning("the shard map cannot be read: %s", error)
            except ValueError:
                _log.exception("the shard map cannot be followed")
            if not is_drained:
                continue  # somebody holds writes and waits for this process, and the wait for the drain was a pause
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()

    async def _listen(self, redis: Redis) -> None:
        while True:
            try:
                async with redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(CHANNEL)
                    while True:
                        if await channel.get_message(timeout=60.0) is not None:
                            self._wake.set()
            except (RedisError, OSError, TimeoutError) as error:
                _log.warning("news of the shard map are lost, polling meanwhile: %s", error)
                await asyncio.sleep(self._poll_s)
