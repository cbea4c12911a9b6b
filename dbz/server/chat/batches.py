"""Batching of a room's messages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dbz.server.settings import Realtime

Message = dict[str, Any]


@dataclass(frozen=True)
class BatchPolicy:
    """When a room's messages go out, and how many together."""

    tick_s: float
    """An idle room's first message waits for the next full tick of so many seconds; 0 sends it at once."""
    window_s: float
    """Seconds between two batches of a busy room."""
    max_batch: int
    """Messages in one batch at most."""


def policy_of(settings: Realtime) -> BatchPolicy:
    """The policy that the settings name.

    `plan` is the plan as written, a tick every 100 ms: mean wait 50 ms, and at most 100 messages a second from a room.
    `tuned` sends an idle room's message at once and lets a busy room coalesce within a short window.
    """
    if settings.policy == "plan":
        window_s = settings.plan_window_ms / 1000
        return BatchPolicy(window_s, window_s, settings.plan_max_batch)
    return BatchPolicy(0.0, settings.tuned_window_ms / 1000, settings.tuned_max_batch)


class RoomBatches:
    """The queues of all rooms, each bounded by `room_queue` messages."""

    def __init__(self, policy: BatchPolicy, room_queue: int, deliver: Callable[[str, list[Message]], None]) -> None:
        self._policy = policy
        self._room_queue = room_queue
        self._deliver = deliver
        self._queues: dict[str, deque[Message]] = {}

    def add(self, room: str, message: Message) -> bool:
        """Queue a message; False when the room's queue is full, and then nothing was queued."""
        queue = self._queues.get(room)
        if queue is None:
            queue = self._queues[room] = deque([message])
            if self._policy.tick_s:
                now_s = asyncio.get_running_loop().time()
                self._flush_in(self._policy.tick_s - now_s % self._policy.tick_s, room)
            else:
                self._flush(room)
            return True
        if len(queue) >= self._room_queue:
            return False
        queue.append(message)
        return True

    def drain(self) -> None:
        """Deliver everything that waits."""
        for room in list(self._queues):
            while self._queues.get(room):
                self._send_batch(room, self._queues[room])

    def _flush_in(self, delay_s: float, room: str) -> None:
        asyncio.get_running_loop().call_later(delay_s, self._flush, room)

    def _flush(self, room: str) -> None:
        queue = self._queues[room]
        if queue:
            self._send_batch(room, queue)
            self._flush_in(self._policy.window_s, room)
        else:
            del self._queues[room]

    def _send_batch(self, room: str, queue: deque[Message]) -> None:
        self._deliver(room, [queue.popleft() for _ in range(min(len(queue), self._policy.max_batch))])
