"""Messages in the document store: written in batches, read by room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import Any

from pymongo.errors import BulkWriteError, PyMongoError

from dbz.background import end
from dbz.server.core import Core

_log = logging.getLogger(__name__)
_BATCH = 500
_RETRY_FIRST_S, _RETRY_MAX_S = 0.1, 2.0
_DUPLICATE = 11000

Message = dict[str, Any]


class ChatHistory:
    """Owner of the collection `messages`. What is accepted is kept in memory until the store has it."""

    def __init__(self, core: Core, window_s: float, max_waiting: int) -> None:
        self._core = core
        self._window_s = window_s
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[str, Message, asyncio.Future[None]]] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether no more may be accepted, because the store has been away for long."""
        return len(self._waiting) >= self._max_waiting

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_forever())

    async def stop(self, deadline_s: float) -> None:
        """Write what waits, for at most `deadline_s` seconds, and end."""
        if self._task is None:
            return
        await end([self._task])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self._waiting:
                    await self._write_some()
        if self._waiting:
            _log.error("%d messages were not stored before the end", len(self._waiting))

    def add(self, club_id: str, message: Message) -> asyncio.Future[None]:
        """Accept a message; the future is done once it is stored."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((club_id, message, stored))
        self._arrived.set()
        return stored

    async def since(self, club_id: str, room_id: str, message_id: str, limit: int) -> list[Message]:
        """The first `limit` messages after `message_id`, oldest first."""
        with self._core.queries.timed("messages.since"):
            cursor = self._messages(club_id).find({"room_id": room_id, "_id": {"$gt": message_id}})
            rows = await cursor.sort("_id", 1).limit(limit).to_list()
        return [shown(row) for row in rows]

    async def latest(self, club_id: str, room_id: str, limit: int) -> list[Message]:
        """The last `limit` messages, oldest first."""
        with self._core.queries.timed("messages.latest"):
            rows = await self._messages(club_id).find({"room_id": room_id}).sort("_id", -1).limit(limit).to_list()
        return [shown(row) for row in reversed(rows)]

    async def _write_forever(self) -> None:
        retry_s = _RETRY_FIRST_S
        while True:
            await self._arrived.wait()
            await asyncio.sleep(self._window_s)
            self._arrived.clear()
            while self._waiting:
                try:
                    await self._write_some()
                    retry_s = _RETRY_FIRST_S
                except (PyMongoError, OSError, TimeoutError) as error:
                    _log.warning("%d messages wait for the store: %s", len(self._waiting), error)
                    await asyncio.sleep(retry_s)
                    retry_s = min(retry_s * 2, _RETRY_MAX_S)

    async def _write_some(self) -> None:
        """Store the oldest messages; they leave the queue only when the store has them."""
        batch = [self._waiting[at] for at in range(min(len(self._waiting), _BATCH))]
        by_club: dict[str, list[Message]] = {}
        for club_id, message, _ in batch:
            by_club.setdefault(club_id, []).append(message)
        for club_id, messages in by_club.items():
            await self._insert(club_id, messages)
        for _ in batch:
            _, _, stored = self._waiting.popleft()
            if not stored.done():
                stored.set_result(None)

    async def _insert(self, club_id: str, messages: list[Message]) -> None:
        with self._core.queries.timed("messages.insert"):
            try:
                await self._messages(club_id).insert_many(messages, ordered=False)
            except BulkWriteError as error:
                # An attempt whose answer was lost did store them: the ids are ours and unique.
                if any(problem["code"] != _DUPLICATE for problem in error.details["writeErrors"]):
                    raise

    def _messages(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["messages"]


def stored_form(club_id: str, message: Message) -> Message:
    """A message of the wire as the store keeps it."""
    return {
        "_id": message["id"],
        "club_id": club_id,
        "room_id": message["roomId"],
        "temp_id": message["tempId"],
        "content": message["content"],
        "sender_id": message["senderId"],
        "timestamp": message["timestamp"],
    }


def shown(row: Message) -> Message:
    """A stored message as the wire has it."""
    return {
        "id": row["_id"],
        "roomId": row["room_id"],
        "tempId": row["temp_id"],
        "content": row["content"],
        "senderId": row["sender_id"],
        "timestamp": row["timestamp"],
    }
