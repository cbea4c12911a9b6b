"""Asking something in a way that blocks, without ever keeping a round of watching waiting for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dbz.errors import DbzError
from dbz.monitor.sources.reading import SourceReading

PATIENCE_S = 5.0


class BlockingSource:
    """Asks with a function that blocks, in a thread, one question at a time.

    A `DbzError` that it raises is why the thing is down. A question that takes longer than a few seconds is said to be
    unanswered, and waited for in the rounds that follow.
    """

    def __init__(self, name: str, ask: Callable[[], SourceReading], close: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self._ask, self._close = ask, close
        self._asked: asyncio.Task[SourceReading] | None = None

    async def look(self) -> SourceReading:
        """How it is."""
        if self._asked is None:
            self._asked = asyncio.create_task(asyncio.to_thread(self._ask))
        done, _ = await asyncio.wait([self._asked], timeout=PATIENCE_S)
        if not done:
            return SourceReading(up=False, health=f"no answer within {PATIENCE_S:g} s")
        asked, self._asked = self._asked, None
        try:
            return asked.result()
        except DbzError as error:
            return SourceReading(up=False, health=error.message)

    async def close(self) -> None:
        """Let go of connections, once what is under way has ended or had its time."""
        if self._asked is not None:
            await asyncio.wait([self._asked], timeout=PATIENCE_S)
        await asyncio.to_thread(self._close)
