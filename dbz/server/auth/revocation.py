"""Sessions that were ended before their access tokens expired, known in every process."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable


class Revocations:
    """Ended session ids, kept until no access token of theirs can be valid any more."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._ends: dict[str, float] = {}
        self.listeners: list[Callable[[str], Awaitable[None]]] = []

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._ends

    async def add(self, session_id: str) -> None:
        """Treat `session_id` as ended from now on, and tell the listeners once."""
        if session_id in self._ends:
            return
        now = time.monotonic()
        self._ends[session_id] = now + self._keep_s
        for listener in self.listeners:
            await listener(session_id)
        for old in [sid for sid, end in self._ends.items() if end < now]:
            del self._ends[old]
