"""Live scores: at most one update a game in each window, over all processes, and the newest one always arrives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from dbz.server.values.clock import now_ms

_log = logging.getLogger(__name__)

STALE = -1.0
"""The answer of a turn when a newer score of the game was sent before."""


@dataclass
class Update:
    """One score on its way."""

    club_id: str
    game_id: str
    score: dict[str, int]
    """Points by side: {home, away}."""
    by: str
    """The user who counted it."""
    sid: str = ""
    """The socket that it came from, which is not told what it said itself; empty for none."""
    at_ms: int = field(default_factory=now_ms)
    """When it came, in milliseconds since 1970; of two scores of a game the later one counts."""

    def event(self) -> dict[str, Any]:
        """The payload of `game:score_updated`."""
        return {"gameId": self.game_id, "score": self.score, "updatedBy": self.by, "timestamp": self.at_ms}


class _Pending:
    """The newest score of a game that was not sent yet, and who waits for it, or a newer one, to be stored."""

    def __init__(self) -> None:
        self.newest: Update | None = None
        self.waiting: list[asyncio.Future[None]] = []
        self.sender: asyncio.Task[None] | None = None

    def take(self) -> tuple[Update, list[asyncio.Future[None]]]:
        """Both, leaving nothing."""
        assert self.newest is not None
        taken = self.newest, self.waiting
        self.newest, self.waiting = None, []
        return taken

    def put_back(self, update: Update, waiting: list[asyncio.Future[None]]) -> None:
        """Undo `take`, unless a newer score came meanwhile, which then stands for both."""
        self.newest = self.newest or update
        self.waiting = waiting + self.waiting


class ScoreBoard:
    """Coalesces the scores of each game: the first goes out at once, later ones of the same window as one.

    `turn` says, for all processes together, how many seconds an update has to wait: 0 to go now, `STALE` never.
    """

    def __init__(
        self,
        window_s: float,
        turn: Callable[[Update], Awaitable[float]],
        send: Callable[[Update], None],
        store: Callable[[Update], Awaitable[None]],
    ) -> None:
        self._window_s = window_s
        self._turn = turn
        self._send = send
        self._store = store
        self._games: dict[str, _Pending] = {}
        self._storing: set[asyncio.Task[None]] = set()

    def submit(self, update: Update) -> asyncio.Future[None]:
        """Take a score; the future is done once it, or a newer one in its place, is stored."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        pending = self._games.setdefault(update.game_id, _Pending())
        pending.newest = update
        pending.waiting.append(stored)
        if pending.sender is None:
            pending.sender = asyncio.create_task(self._send_all(update.game_id, pending))
        return stored

    async def drain(self) -> None:
        """Send and store everything that waits."""
        for pending in list(self._games.values()):
            if pending.sender is not None:
                pending.sender.cancel()
            if pending.newest is not None:
                self._publish(*pending.take())
        self._games.clear()
        while self._storing:
            await asyncio.gather(*self._storing, return_exceptions=True)

    async def _send_all(self, game_id: str, pending: _Pending) -> None:
        while pending.newest is not None:
            wait_s = await self._turn(pending.newest)
            update, waiting = pending.take()
            if wait_s > 0:
                pending.put_back(update, waiting)
                await asyncio.sleep(wait_s)
            elif wait_s == STALE:
                _resolve(waiting, None)
            else:
                self._publish(update, waiting)
                await asyncio.sleep(self._window_s)
        del self._games[game_id]

    def _publish(self, update: Update, waiting: list[asyncio.Future[None]]) -> None:
        self._send(update)
        task = asyncio.create_task(self._store_one(update, waiting))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)

    async def _store_one(self, update: Update, waiting: list[asyncio.Future[None]]) -> None:
        try:
            await self._store(update)
        except Exception as error:
            _log.warning("a score was sent but not stored: %s", error, extra={"game_id": update.game_id})
            _resolve(waiting, error)
        else:
            _resolve(waiting, None)


def _resolve(waiting: list[asyncio.Future[None]], error: Exception | None) -> None:
    for future in waiting:
        with contextlib.suppress(asyncio.InvalidStateError):
            future.set_result(None) if error is None else future.set_exception(error)
            future.exception()  # nobody may be waiting
