"""Live scores: at most one update a game in each window, and the newest one always arrives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from dbz.server.clock import now_ms

_log = logging.getLogger(__name__)


@dataclass
class Update:
    """One score on its way: `stored` is done when this or a newer score is in the document store."""

    club_id: str
    game_id: str
    score: dict[str, int]
    by: str
    at_ms: int = field(default_factory=now_ms)

    def event(self) -> dict[str, Any]:
        """The payload of `game:score_updated`."""
        return {"gameId": self.game_id, "score": self.score, "updatedBy": self.by, "timestamp": self.at_ms}


class _Window:
    """One game's open window: the newest score that waits for its end, and who waits for that one to be stored."""

    def __init__(self) -> None:
        self.newest: Update | None = None
        self.waiting: list[asyncio.Future[None]] = []


class ScoreBoard:
    """Coalesces the scores of each game: the first goes out at once, later ones of the same window as one."""

    def __init__(
        self,
        window_s: float,
        send: Callable[[Update], None],
        store: Callable[[Update], Awaitable[None]],
    ) -> None:
        self._window_s = window_s
        self._send = send
        self._store = store
        self._windows: dict[str, _Window] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, update: Update) -> asyncio.Future[None]:
        """Take a score; the future is done once it, or a newer one in its place, is stored."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        window = self._windows.get(update.game_id)
        if window is None:
            self._open(update.game_id)
            self._publish(update, [stored])
        else:
            window.newest = update
            window.waiting.append(stored)
        return stored

    async def drain(self) -> None:
        """Send and store everything that waits."""
        for game_id in list(self._windows):
            self._close(game_id)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _open(self, game_id: str) -> None:
        self._windows[game_id] = _Window()
        asyncio.get_running_loop().call_later(self._window_s, self._close, game_id)

    def _close(self, game_id: str) -> None:
        window = self._windows.pop(game_id, None)
        if window is not None and window.newest is not None:
            self._open(game_id)
            self._publish(window.newest, window.waiting)

    def _publish(self, update: Update, waiting: list[asyncio.Future[None]]) -> None:
        self._send(update)
        task = asyncio.create_task(self._store_one(update, waiting))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _store_one(self, update: Update, waiting: list[asyncio.Future[None]]) -> None:
        try:
            await self._store(update)
        except Exception as error:
            _log.warning("a score was sent but not stored: %s", error, extra={"game_id": update.game_id})
            outcome: Exception | None = error
        else:
            outcome = None
        for future in waiting:
            with contextlib.suppress(asyncio.InvalidStateError):
                future.set_result(None) if outcome is None else future.set_exception(outcome)
                future.exception()  # nobody may be waiting
