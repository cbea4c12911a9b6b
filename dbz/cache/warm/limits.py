"""Looking at Redis's memory, so that warming stops before anything is evicted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dbz.cache.nodes import Nodes

OVERHEAD_BYTES = 100
"""Memory of one key beside its own bytes and its value's: table entries, object heads, expiry."""
_RESERVE = 0.03
_LEAST_RESERVE_BYTES = 256 * 1024
_LOOK_EVERY_S = 0.1


class NoRoomError(Exception):
    """Redis is full, or other data is being evicted."""


@dataclass(frozen=True)
class Room:
    """Memory of the node that has the least left; `left_bytes` is None when it has no limit."""

    used_bytes: int
    limit_bytes: int
    policy: str
    evicted: int

    @property
    def left_bytes(self) -> int | None:
        """What may still be written, with a reserve kept free; None without a limit."""
        if not self.limit_bytes:
            return None
        reserve = max(int(self.limit_bytes * _RESERVE), _LEAST_RESERVE_BYTES)
        return max(0, self.limit_bytes - self.used_bytes - reserve)


async def look(nodes: Nodes) -> Room:
    """The room of the fullest node; evictions of all nodes."""
    rooms = []
    for info in (await nodes.info("memory", "stats")).values():
        limit = int(info.get("maxmemory", 0))
        policy = str(info.get("maxmemory_policy", ""))
        rooms.append(Room(int(info["used_memory"]), limit, policy, int(info.get("evicted_keys", 0))))
    fullest = min(rooms, key=lambda room: float("inf") if room.left_bytes is None else room.left_bytes)
    return Room(fullest.used_bytes, fullest.limit_bytes, fullest.policy, sum(room.evicted for room in rooms))


class RoomGuard:
    """Asked before each batch; looks at Redis again when half of what was left may be used up, or after 0.1 s."""

    def __init__(self, nodes: Nodes, clock: Callable[[], float] = time.monotonic) -> None:
        self._nodes = nodes
        self._clock = clock
        self._evicted: int | None = None
        self._trusted_bytes = 0.0
        self._look_at = 0.0

    async def admit(self, keys: int, size_bytes: int) -> None:
        """Return when `keys` with `size_bytes` in all may be written; raises `NoRoomError`."""
        needed = size_bytes + keys * OVERHEAD_BYTES
        if needed > self._trusted_bytes or self._clock() >= self._look_at:
            self._trusted_bytes = await self._trust(needed)
        self._trusted_bytes -= needed

    async def _trust(self, needed_bytes: int) -> float:
        room = await look(self._nodes)
        if self._evicted is not None and room.evicted > self._evicted:
            raise NoRoomError(f"Redis evicts keys: {room.evicted - self._evicted} since the warm-up began")
        self._evicted = room.evicted
        self._look_at = self._clock() + _LOOK_EVERY_S
        left = room.left_bytes
        if left is None:
            return float("inf")
        if needed_bytes > left:
            limit, policy = room.limit_bytes, room.policy
            raise NoRoomError(f"Redis is full: {room.used_bytes:,} of {limit:,} bytes used (maxmemory, {policy})")
        return max(float(needed_bytes), left / 2)


_STEP_S = 0.05


class WritePacer:
    """Gives out permission for `rate_per_s` actions a second, None for any number.

    A permission is given when it has been earned: in any window of time no more than the window's share, plus the
    last step's, is begun. Time in which nobody asked is not saved up for a burst.
    """

    def __init__(
        self,
        rate_per_s: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate_per_s = rate_per_s
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    def step(self, most: int) -> int:
        """How many actions to ask for at a time, at most `most`, so that the rate is smooth."""
        return most if self._rate_per_s is None else max(1, min(most, int(self._rate_per_s * _STEP_S)))

    async def take(self, count: int) -> None:
        """Wait until `count` actions may begin."""
        if self._rate_per_s is None:
            return
        self._free_at = max(self._free_at, self._clock()) + count / self._rate_per_s
        await self._sleep(max(0.0, self._free_at - self._clock()))
