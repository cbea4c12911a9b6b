"""Where the writes of a process pass: counted club by club, and held while their club is fenced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from dbz.shards.control import ROUTER_LEASE_S
from dbz.shards.errors import ClubFencedError
from dbz.shards.map import Fence, ShardMap


class WriteGate:
    """The map in force in this process, and the writes under way by it. Used in one event loop.

    `renewed_at` is when this process last told the control store that it is there, on the monotonic clock. Without
    that for `ROUTER_LEASE_S` nobody waits for it any more, so it writes nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.map: ShardMap | None = None
        self.renewed_at = float("-inf")
        self._under_way: dict[str, int] = {}
        self._seen: dict[Fence, float] = {}
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def writing(self, club_id: str) -> AsyncIterator[str]:
        """The shard for a write of a club, which is under way within this block.

        `ClubFencedError` when the club's writes were held for all of the fence time, or while no map is known.
        """
        shard = self._enter(club_id) or await self._wait(club_id)
        try:
            yield shard
        finally:
            left = self._under_way[club_id] - 1
            if left:
                self._under_way[club_id] = left
            else:
                del self._under_way[club_id]
                self.notify()

    def apply(self, shard_map: ShardMap) -> None:
        """Follow another map from now on."""
        self.map = shard_map
        standing = {*shard_map.fenced.values(), *shard_map.closed.values()}
        now = self._clock()
        self._seen = {fence: self._seen.get(fence, now) for fence in standing}
        self.notify()

    async def drained(self) -> int:
        """Wait until no write is under way that the map forbids; the epoch for which that holds."""
        while True:
            assert self.map is not None
            epoch, fence_of = self.map.epoch, self.map.fence_of
            if all(fence_of(club_id) is None for club_id in self._under_way):
                return epoch
            await self._next_change(60.0)

    def overrun(self) -> list[Fence]:
        """Fences that stand for longer than they may: whoever put them up is gone."""
        now = self._clock()
        return [fence for fence, since in self._seen.items() if now - since > fence.max_s]

    def _enter(self, club_id: str) -> str | None:
        if self.map is None or self._clock() - self.renewed_at > ROUTER_LEASE_S:
            return None
        if self.map.fence_of(club_id) is not None:
            return None
        self._under_way[club_id] = self._under_way.get(club_id, 0) + 1
        return self.map.shard_of(club_id)

    async def _wait(self, club_id: str) -> str:
        fence = self.map.fence_of(club_id) if self.map else None
        if fence is None:
            raise ClubFencedError("the shard map is not known at the moment")
        deadline = self._seen[fence] + fence.max_s
        while (left_s := deadline - self._clock()) > 0:
            await self._next_change(left_s)
            shard = self._enter(club_id)
            if shard is not None:
                return shard
        raise ClubFencedError(f"club '{club_id}' is being moved")

    async def _next_change(self, timeout_s: float) -> None:
        changed = self._changed
        try:
            async with asyncio.timeout(timeout_s):
                await changed.wait()
        except TimeoutError:
            return

    def notify(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()
