"""A line before something dear: few are served at a time, and nobody's many calls keep others waiting."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dbz.server.http.errors import ApiError


class WaitingLine:
    """Lets `places` callers in at a time. Who waits is served in turn by key: each key's first, then each one's second.

    Beyond `waiting` callers in the line a new one is refused with 503 and `code`; so is who has waited `patience_s`: by
    then its client may have gone, and whoever serves those that are gone keeps all others waiting for that long too.
    """

    def __init__(self, places: int, waiting: int, patience_s: float, code: str, message: str) -> None:
        self._free = places
        self._most_waiting = waiting
        self._patience_s = patience_s
        self._refusal = code, message
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._waiting = 0

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it meanwhile."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(key)
        try:
            yield
        finally:
            self._hand_on()

    async def _wait(self, key: str) -> None:
        if self._waiting >= self._most_waiting:
            raise ApiError(503, *self._refusal, retry_after_s=1)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(key, deque()).append(place)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_s):
                await self._given(place)
        except TimeoutError:
            raise ApiError(503, *self._refusal, retry_after_s=1) from None

    async def _given(self, place: asyncio.Future[None]) -> None:
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self._hand_on()  # it was given the place at the same moment
            raise

    def _hand_on(self) -> None:
        """Give a place that has become free to the next in line who still waits."""
        while self._lines:
            key, line = self._lines.popitem(last=False)
            place = line.popleft()
            self._waiting -= 1
            if line:
                self._lines[key] = line  # behind all others
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
