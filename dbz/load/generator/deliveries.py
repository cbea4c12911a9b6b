"""Bookkeeping of messages from one sender to several receivers: delivered, lost, duplicated, out of order.

Sender and receivers live in one process and share its clock, so a delivery is a true duration. Each message remembers
who has yet to receive it; whoever has not by the deadline has lost it, which is recorded as a failure.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from dbz.load.generator.recorder import Recorder
from dbz.measure.series import DELIVERY

DEADLINE_S = 5.0
_COUNTS = ("sent", "expected", "delivered", "lost", "duplicated", "out_of_order")


@dataclass(slots=True)
class _Message:
    event: str
    key: Hashable
    sent_s: float
    sender: Hashable
    number: int
    waiting: set[Hashable]


@dataclass
class Channel:
    """One room or topic: who receives in it since which message, and the last that each got from each sender."""

    event: str
    receivers: dict[Hashable, int] = field(default_factory=dict)
    latest: dict[tuple[Hashable, Hashable], int] = field(default_factory=dict)
    messages: dict[Hashable, _Message] = field(default_factory=dict)


class Deliveries:
    """All channels of one worker."""

    def __init__(self, recorder: Recorder, deadline_s: float = DEADLINE_S) -> None:
        self._recorder = recorder
        self._deadline_s = deadline_s
        self._channels: dict[tuple[str, Hashable], Channel] = {}
        self._open: deque[tuple[Channel, _Message]] = deque()
        self._counts: dict[str, list[int]] = {}
        self._number = 0

    def join(self, event: str, channel: Hashable, receiver: Hashable) -> None:
        """From now on `receiver` is expected to get the messages of a channel."""
        self._channel(event, channel).receivers[receiver] = self._number

    def leave(self, event: str, channel: Hashable, receiver: Hashable) -> None:
        """`receiver` is no longer expected to get anything, messages on their way included."""
        one = self._channel(event, channel)
        one.receivers.pop(receiver, None)
        for message in one.messages.values():
            if receiver in message.waiting:
                message.waiting.discard(receiver)
                self._count(event)[1] -= 1

    def sent(self, event: str, channel: Hashable, key: Hashable, sender: Hashable) -> None:
        """`sender` emits the message `key` now; everybody else in the channel is expected to get it."""
        one = self._channel(event, channel)
        waiting = set(one.receivers) - {sender}
        self._number += 1
        message = _Message(event, key, time.monotonic(), sender, self._number, waiting)
        one.messages[key] = message
        self._open.append((one, message))
        counts = self._count(event)
        counts[0] += 1
        counts[1] += len(waiting)

    def received(self, event: str, channel: Hashable, key: Hashable, receiver: Hashable) -> None:
        """`receiver` has the message `key`; messages of other processes, and the sender's own copy, are passed over."""
        one = self._channels.get((event, channel))
        message = one.messages.get(key) if one is not None else None
        if one is None or message is None or receiver == message.sender:
            return
        counts = self._count(event)
        if receiver not in message.waiting:
            # Who joined after a message was sent may still get it, and is not to be blamed for that.
            counts[4] += one.receivers.get(receiver, message.number) < message.number
            return
        message.waiting.discard(receiver)
        counts[2] += 1
        self._recorder.success(DELIVERY, event, time.monotonic() - message.sent_s)
        pair = (receiver, message.sender)
        if one.latest.get(pair, 0) > message.number:
            counts[5] += 1
        else:
            one.latest[pair] = message.number

    def unsent(self, event: str, channel: Hashable, key: Hashable) -> None:
        """The server refused the message `key`: nobody is expected to get it."""
        one = self._channel(event, channel)
        message = one.messages.pop(key, None)
        if message is not None:
            counts = self._count(event)
            counts[0] -= 1
            counts[1] -= len(message.waiting)
            message.waiting.clear()

    def expire(self) -> None:
        """Count as lost what is past its deadline."""
        limit_s = time.monotonic() - self._deadline_s
        while self._open and self._open[0][1].sent_s < limit_s:
            channel, message = self._open.popleft()
            channel.messages.pop(message.key, None)
            for _ in message.waiting:
                self._count(message.event)[3] += 1
                self._recorder.failure(
                    DELIVERY, message.event, self._deadline_s, f"not delivered within {self._deadline_s:g} s"
                )

    def take_counts(self) -> dict[str, list[int]]:
        """Counts since the last call, by event: sent, expected, delivered, lost, duplicated, out of order."""
        counts, self._counts = self._counts, {}
        return counts

    def abandon(self) -> None:
        """The run ends: what is still on its way within its deadline is neither delivered nor lost."""
        for channel, message in self._open:
            channel.messages.pop(message.key, None)
            self._count(message.event)[1] -= len(message.waiting)
        self._open.clear()

    def _channel(self, event: str, channel: Hashable) -> Channel:
        return self._channels.setdefault((event, channel), Channel(event))

    def _count(self, event: str) -> list[int]:
        return self._counts.setdefault(event, [0] * len(_COUNTS))
