"""Changing the map while servers follow it: compare-and-set, announcements, fences, and waiting for the servers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from dbz.errors import DependencyError, UsageError
from dbz.shards.deployment import Deployment
from dbz.shards.errors import FenceOverrunError
from dbz.shards.map import Fence, ShardMap
from dbz.shards.map_store import CHANNEL, read_map, replace_map

ROUTERS = "routers"
ROUTER_LEASE_S = 10.0
"""A server that could not renew its entry for so long writes nothing more, until it can."""
_GONE_AFTER = timedelta(seconds=ROUTER_LEASE_S + 2)
_ASK_EVERY_S = 0.002
_TRIES = 20


class Control:
    """The map of an adopted deployment and the servers that follow it; a context manager."""

    def __init__(self, deployment: Deployment) -> None:
        self.database = deployment.control
        self._redis = Redis.from_url(deployment.redis_url, socket_timeout=1.0) if deployment.redis_url else None

    def __enter__(self) -> Control:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._redis is not None:
            self._redis.close()

    def map(self) -> ShardMap:
        """The map in force; `UsageError` before adoption."""
        found = read_map(self.database)
        if found is None:
            raise UsageError(
                "this deployment is not adopted", hint="dbz shard adopt takes it over, moving nothing", code="H004"
            )
        return found

    def change(self, make: Callable[[ShardMap], ShardMap]) -> ShardMap:
        """Replace the map by what `make` makes of it, and tell the servers. An unchanged map is left alone."""
        for _ in range(_TRIES):
            before = self.map()
            after = make(before)
            if after is before or self.replace(after):
                return after
        raise DependencyError(
            "the shard map keeps changing under our hands; is another program writing it?", code="H007"
        )

    def replace(self, following: ShardMap) -> bool:
        """Put the next map in place, if its predecessor is still there, and tell the servers."""
        done = replace_map(self.database, following)
        if done:
            self.announce(following.epoch)
        return done

    def announce(self, epoch: int) -> None:
        """Tell the servers of an epoch; they poll as well, so that a Redis that is away costs time only."""
        if self._redis is not None:
            with contextlib.suppress(RedisError, OSError):
                self._redis.publish(CHANNEL, str(epoch))

    def fence(self, move: str, club: str, max_s: float) -> ShardMap:
        """Hold the writes of a club from now on."""
        return self.change(lambda before: before.next(fenced={**before.fenced, club: Fence(move, max_s)}))

    def lift(self, move: str) -> ShardMap:
        """Take away the fences of a move. The epoch rises, so that whoever still wanted to build on them cannot."""

        def without(before: ShardMap) -> ShardMap:
            fenced = {club: fence for club, fence in before.fenced.items() if fence.move != move}
            closed = {slot: fence for slot, fence in before.closed.items() if fence.move != move}
            if len(fenced) == len(before.fenced) and len(closed) == len(before.closed):
                return before
            return before.next(fenced=fenced, closed=closed)

        return self.change(without)

    def routers(self) -> list[dict[str, Any]]:
        """The servers that follow the map, as they last reported; those that are gone are forgotten."""
        self.database[ROUTERS].delete_many({"seen": {"$lt": self._gone_before()}})
        return list(self.database[ROUTERS].find())

    def _gone_before(self) -> datetime:
        now: datetime = self.database.client.admin.command("hello")["localTime"]
        return now - _GONE_AFTER

    def wait_for_routers(self, epoch: int, deadline: float) -> None:
        """Until every server has the epoch and no write under way that it forbids; `deadline` is monotonic seconds.

        `FenceOverrunError` names a server that did not get there in time. Writes are held meanwhile, so each look is
        one question; who was gone before it is not waited for, and forgotten another time.
        """
        wanted = {"epoch": {"$lt": epoch}, "seen": {"$not": {"$lt": self._gone_before()}}}
        while True:
            behind = self.database[ROUTERS].find_one(wanted)
            if behind is None:
                return
            if time.monotonic() > deadline:
                raise FenceOverrunError(f"server {behind['_id']} did not follow in time")
            time.sleep(_ASK_EVERY_S)
