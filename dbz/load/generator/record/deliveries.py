"""Bookkeeping of messages from one sender to several receivers: delivered, lost, duplicated, out of order.

Sender and receivers live in one process and share its clock, so a delivery is a true duration. Each message remembers
who has yet to receive it; whoever has not by the deadline has lost it, which is recorded as a failure.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Hashable

from dbz.load.generator.record.recorder import Recorder
from dbz.measure.latency.series import DELIVERY

DEADLINE_S = 5.0
_COUNTS = ("sent", "expected", "delivered", "lost", "duplicated", "out_of_order")
_SENT, _EXPECTED, _DELIVERED, _LOST, _DUPLICATED, _OUT_OF_ORDER = range(len(_COUNTS))
_NOBODY: frozenset[Hashable] = frozenset()


class _Message:
    """`waiting` are those who have yet to receive it; `later` is the same sender's next message in the channel."""

    __slots__ = ("event", "key", "later", "number", "sender", "sent_s", "waiting")

    def __init__(self, event: str, key: Hashable, sender: Hashable, number: int, waiting: set[Hashable]) -> None:
        self.event = event
        self.key = key
        self.sent_s = time.monotonic()
        self.sender = sender
        self.number = number
        self.waiting: set[Hashable] | frozenset[Hashable] = waiting
        self.later: _Message | None = None


class DeliveryChannel:
    """One room or topic: who receives in it since which message, and the messages that are not yet past."""

    __slots__ = ("counts", "messages", "newest", "receivers")

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts
        self.receivers: dict[Hashable, int] = {}
        self.messages: dict[Hashable, _Message] = {}
        self.newest: dict[Hashable, _Message] = {}


class DeliveryLedger:
    """All channels of one worker."""

    def __init__(self, recorder: Recorder, deadline_s: float = DEADLINE_S) -> None:
        self._recorder = recorder
        self._deadline_s = deadline_s
        self._channels: dict[tuple[str, Hashable], DeliveryChannel] = {}
        self._open: deque[tuple[DeliveryChannel, _Message]] = deque()
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
                _strike_off(message, receiver)
                one.counts[_EXPECTED] -= 1

    def sent(self, event: str, channel: Hashable, key: Hashable, sender: Hashable) -> None:
        """`sender` emits the message `key` now; everybody else in the channel is expected to get it."""
        one = self._channel(event, channel)
        waiting = set(one.receivers)
        waiting.discard(sender)
        self._number += 1
        message = _Message(event, key, sender, self._number, waiting)
        one.messages[key] = message
        previous = one.newest.get(sender)
        if previous is not None:
            previous.later = message
        one.newest[sender] = message
        self._open.append((one, message))
        one.counts[_SENT] += 1
        one.counts[_EXPECTED] += len(waiting)

    def received(self, event: str, channel: Hashable, key: Hashable, receiver: Hashable) -> None:
        """`receiver` has the message `key`; messages of other processes, and the sender's own copy, are passed over."""
        one = self._channels.get((event, channel))
        message = one.messages.get(key) if one is not None else None
        if one is None or message is None or receiver == message.sender:
            return
        if receiver not in message.waiting:
            # Who joined after a message was sent may still get it, and is not to be blamed for that.
            one.counts[_DUPLICATED] += one.receivers.get(receiver, message.number) < message.number
            return
        self._recorder.success(DELIVERY, event, time.monotonic() - message.sent_s)
        waiting = message.waiting
        waiting.remove(receiver)  # type: ignore[union-attr]  # the empty one is frozen, and nobody is in it
        if not waiting:
            message.waiting = _NOBODY
        one.counts[_DELIVERED] += 1
        if message.later is not None:
            one.counts[_OUT_OF_ORDER] += _has_later(message, receiver, one)

    def unsent(self, event: str, channel: Hashable, key: Hashable) -> None:
        """The server refused the message `key`: nobody is expected to get it."""
        one = self._channel(event, channel)
        message = one.messages.pop(key, None)
        if message is not None:
            one.counts[_SENT] -= 1
            one.counts[_EXPECTED] -= len(message.waiting)
            message.waiting = _NOBODY
            message.number = 0  # nobody can have got it, so nobody gets another one too late

    def expire(self) -> None:
        """Count as lost what is past its deadline."""
        limit_s = time.monotonic() - self._deadline_s
        while self._open and self._open[0][1].sent_s < limit_s:
            channel, message = self._open.popleft()
            _forget(channel, message)
            channel.counts[_LOST] += len(message.waiting)
            for _ in message.waiting:
                self._recorder.failure(
                    DELIVERY, message.event, self._deadline_s, f"not delivered within {self._deadline_s:g} s"
                )

    def take_counts(self) -> dict[str, list[int]]:
        """Counts since the last call, by event: sent, expected, delivered, lost, duplicated, out of order."""
        taken = {event: list(counts) for event, counts in self._counts.items() if any(counts)}
        for counts in self._counts.values():
            counts[:] = [0] * len(_COUNTS)
        return taken

    def abandon(self) -> None:
        """The run ends: what is still on its way within its deadline is neither delivered nor lost."""
        for channel, message in self._open:
            _forget(channel, message)
            channel.counts[_EXPECTED] -= len(message.waiting)
        self._open.clear()

    def _channel(self, event: str, channel: Hashable) -> DeliveryChannel:
        one = self._channels.get((event, channel))
        if one is None:
            counts = self._counts.setdefault(event, [0] * len(_COUNTS))
            one = self._channels[(event, channel)] = DeliveryChannel(counts)
        return one


def _strike_off(message: _Message, receiver: Hashable) -> None:
    """`receiver` is waited for no longer; a set that is empty gives its memory back."""
    waiting = message.waiting
    if isinstance(waiting, set):
        waiting.discard(receiver)
        if not waiting:
            message.waiting = _NOBODY


def _forget(channel: DeliveryChannel, message: _Message) -> None:
    """A message is past: what arrives of it from now on is neither a delivery nor a duplicate."""
    if channel.messages.get(message.key) is message:
        del channel.messages[message.key]
    if channel.newest.get(message.sender) is message:
        del channel.newest[message.sender]


def _has_later(message: _Message, receiver: Hashable, channel: DeliveryChannel) -> bool:
    """Whether `receiver` already got a message that the same sender sent after this one."""
    since = channel.receivers.get(receiver, message.number)
    later = message.later
    while later is not None:
        if since < later.number and receiver not in later.waiting:
            return True
        later = later.later
    return False
