"""Holding a rate that is never exceeded, by however many share it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

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
