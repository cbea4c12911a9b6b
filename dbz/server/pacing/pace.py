"""How fast somebody outside is called: one pace for all processes, and a pause for all when he asks for one."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

_TURN = """
local pause = redis.call('PTTL', KEYS[1])
if pause > 0 then return pause end
if redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[1]) then return 0 end
return math.max(redis.call('PTTL', KEYS[2]), 1)
"""


class CallPace:
    """At most one call of `whom` in every `interval_s`. Redis's errors pass through: without it nothing is called."""

    def __init__(self, redis: Redis, whom: str, interval_s: float) -> None:
        self._redis = redis
        self._pause, self._pace = f"{whom}:pause", f"{whom}:pace"
        self._interval_ms = max(1, int(interval_s * 1000))
        self._turn = redis.register_script(_TURN)

    async def turn(self, patience_s: float) -> float:
        """Wait for a turn; the seconds waited, or -1 without a turn when it would take longer than `patience_s`."""
        waited_s = 0.0
        while True:
            left_s = int(await self._turn(keys=[self._pause, self._pace], args=[self._interval_ms])) / 1000
            if left_s == 0:
                return waited_s
            if waited_s + left_s > patience_s:
                return -1.0
            await asyncio.sleep(left_s)
            waited_s += left_s

    async def pause(self, seconds: float) -> None:
        """Let nobody call for a while."""
        await self._redis.set(self._pause, "1", px=max(1, int(seconds * 1000)))

    async def paused_s(self) -> float:
        """For how long nobody may call; 0 when everybody may."""
        return max(0, int(await self._redis.pttl(self._pause))) / 1000
