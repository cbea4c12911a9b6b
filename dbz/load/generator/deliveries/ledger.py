"""Bookkeeping of messages from one sender to several receivers: delivered, lost, duplicated, out of order.

Each message remembers who has yet to receive it; whoever has not by the deadline has lost it, which is recorded as a
failure. Every worker keeps the books of its own users: of a message that a user of another worker sent it learns from
that worker, with the moment of the emit, so that a delivery is a true duration wherever sender and receiver are.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Hashable, Iterable
from typing import Protocol

from dbz.load.generator.record.recorder import Samples
from dbz.measure.latency.series import DELIVERY, DRAINED

DEADLINE_S = 5.0
_MOST_EARLY = 100_000
_COUNTS = ("sent", "expected", "delivered", "lost", "duplicated", "out_of_order")
_SENT, _EXPECTED, _DELIVERED, _LOST, _DUPLICATED, _OUT_OF_ORDER = range(len(_COUNTS))
_NOBODY: frozenset[Hashable] = frozenset()

Announcement = tuple[bool, str, Hashable, Hashable, Hashable, float]
"""Whether a message was sent or, False, refused by the server; event, channel, key, sender, the moment of the emit."""


class Bus(Protocol):
    """How workers tell each other of messages. Moments are of this process's monotonic clock."""

    def announce(self, announcement: Announcement) -> None:
        """Tell all other workers."""

    def take(self) -> Iterable[Announcement]:
        """What other workers have told since the last call."""


class _Message:
    """`waiting` are those who have yet to receive it; `later` is the same sender's next message in the channel."""

    __slots__ = ("astray", "event", "key", "later", "sender", "sent_s", "waiting")

    def __init__(self, event: str, key: Hashable, sender: Hashable, sent_s: float, waiting: set[Hashable]) -> None:
        self.event = event
        self.key = key
        self.sent_s = sent_s
        self.sender = sender
        self.waiting: set[Hashable] | frozenset[Hashable] = waiting
        self.later: _Message | None = None
        self.astray: set[Hashable] | frozenset[Hashable] = _NOBODY
        """Who has got it without being in the channel; whoever comes in until it is past was only quick."""


class DeliveryChannel:
    """One room or topic: since when who receives in it, and the messages that are not yet past."""

    __slots__ = ("astray", "books", "left", "messages", "newest", "receivers", "recorders")

    def __init__(self, books: tuple[list[int], list[int]]) -> None:
        self.books = books
        """Counts of the event: until the end of the judged part, and after it."""
        self.receivers: dict[Hashable, float] = {}
        self.recorders: dict[Hashable, Samples] = {}
        """Where deliveries to a receiver are recorded, unless that is where all others are."""
        self.messages: dict[Hashable, _Message] = {}
        self.newest: dict[Hashable, _Message] = {}
        self.left: dict[Hashable, float] = {}
        """When those went who are in it no more."""
        self.astray = 0
        """Messages that reached somebody who is not in it."""


class DeliveryLedger:
    """All channels of one worker."""

    def __init__(self, recorder: Samples, deadline_s: float = DEADLINE_S, bus: Bus | None = None) -> None:
        self._recorder = recorder
        self._deadline_s = deadline_s
        self._bus = bus
        self._channels: dict[tuple[str, Hashable], DeliveryChannel] = {}
        self._open: deque[tuple[DeliveryChannel, _Message]] = deque()
        self._books: dict[str, tuple[list[int], list[int]]] = {}
        self._early: dict[tuple[str, Hashable, Hashable], list[tuple[Hashable, float]]] = {}
        self._now_s = 0.0
        self._end_s = math.inf

    def join(self, event: str, channel: Hashable, receiver: Hashable, recorder: Samples | None = None) -> None:
        """From now on `receiver` is expected to get the messages of a channel; recorded by a recorder of its own, when
        it has one."""
        place = self._channel(event, channel)
        place.receivers[receiver] = self._moment_s()
        if recorder is not None:
            place.recorders[receiver] = recorder

    def leave(self, event: str, channel: Hashable, receiver: Hashable) -> None:
        """`receiver` is no longer expected to get anything, messages on their way included."""
        place = self._channel(event, channel)
        place.receivers.pop(receiver, None)
        place.left[receiver] = self._moment_s()
        for message in place.messages.values():
            if receiver in message.waiting:
                _strike_off(message, receiver)
                self._book(place)[_EXPECTED] -= 1

    def depart(self, event: str, channel: Hashable, receiver: Hashable) -> None:
        """`receiver` is expected to get nothing from now on; what was on its way stays expected.

        For one that was kept from being connected when it went: what it has missed is lost, and what comes is not.
        """
        place = self._channel(event, channel)
        place.receivers.pop(receiver, None)
        place.left[receiver] = self._moment_s()

    def sent(self, event: str, channel: Hashable, key: Hashable, sender: Hashable) -> None:
        """`sender` emits the message `key` now; everybody else in the channel is expected to get it."""
        sent_s = self._moment_s()
        if sent_s >= self._end_s:
            return
        place = self._channel(event, channel)
        place.books[0][_SENT] += 1
        self._follow(place, channel, _Message(event, key, sender, sent_s, set(place.receivers)))
        if self._bus is not None:
            self._bus.announce((True, event, channel, key, sender, sent_s))

    def received(self, event: str, channel: Hashable, key: Hashable, receiver: Hashable) -> None:
        """`receiver` has the message `key`; the sender's own copy, and messages of nobody's, are passed over."""
        place = self._channels.get((event, channel))
        message = place.messages.get(key) if place is not None else None
        if place is not None and message is not None:
            self._deliver(place, message, receiver, time.monotonic())
        elif self._bus is not None and len(self._early) < _MOST_EARLY:
            # It may have come faster than the word of the worker that sent it.
            self._early.setdefault((event, channel, key), []).append((receiver, time.monotonic()))

    def unsent(self, event: str, channel: Hashable, key: Hashable) -> None:
        """The server refused the message `key`: nobody is expected to get it."""
        place = self._channel(event, channel)
        if key in place.messages:
            self._book(place)[_SENT] -= 1
        self._forgive(place, key)
        if self._bus is not None:
            self._bus.announce((False, event, channel, key, None, 0.0))

    def hear(self) -> None:
        """Take up the messages that users of other workers sent."""
        for was_sent, event, channel, key, sender, sent_s in self._bus.take() if self._bus is not None else ():
            place = self._channel(event, channel)
            if not was_sent:
                self._forgive(place, key)
            elif sent_s < self._end_s:
                there = {one for one, joined_s in place.receivers.items() if joined_s <= sent_s}
                self._follow(place, channel, _Message(event, key, sender, sent_s, there))

    def expire(self) -> None:
        """Count as lost what is past its deadline."""
        self.hear()
        limit_s = time.monotonic() - self._deadline_s
        while self._open and self._open[0][1].sent_s < limit_s:
            place, message = self._open.popleft()
            _forget(place, message)
            self._count_astray(place, message)
            self._book(place)[_LOST] += len(message.waiting)
            for receiver in message.waiting:
                place.recorders.get(receiver, self._recorder).failure(
                    self._kind, message.event, self._deadline_s, f"not delivered within {self._deadline_s:g} s"
                )
        for key in [key for key, receipts in self._early.items() if receipts[0][1] < limit_s]:
            del self._early[key]

    def end_at(self, end_s: float) -> None:
        """The judged part ends at this moment of the monotonic clock: what is sent later is not followed."""
        self._end_s = min(self._end_s, end_s)

    def pending(self) -> bool:
        """Whether somebody has yet to receive a message."""
        self.hear()
        return any(message.waiting for _, message in self._open)

    def take_counts(self, *, after_end: bool = False) -> dict[str, list[int]]:
        """Counts since the last call, by event: sent, expected, delivered, lost, duplicated, out of order.

        They are those until the end of the judged part, or what became of its messages later.
        """
        books = {event: both[after_end] for event, both in self._books.items()}
        taken = {event: list(counts) for event, counts in books.items() if any(counts)}
        for counts in books.values():
            counts[:] = [0] * len(_COUNTS)
        return taken

    def abandon(self) -> None:
        """The run ends: what is still on its way within its deadline is neither delivered nor lost."""
        for place, message in self._open:
            _forget(place, message)
            self._count_astray(place, message)
            self._book(place)[_EXPECTED] -= len(message.waiting)
        self._open.clear()

    def take_astray(self) -> dict[str, list[int]]:
        """By event, how many messages reached somebody who is not in their channel, since the last call."""
        taken: dict[str, list[int]] = {}
        for (event, _), place in self._channels.items():
            if place.astray:
                taken.setdefault(event, [0])[0] += place.astray
                place.astray = 0
        return taken

    @property
    def _kind(self) -> str:
        return DELIVERY if time.monotonic() < self._end_s else DRAINED

    def _book(self, place: DeliveryChannel) -> list[int]:
        return place.books[time.monotonic() >= self._end_s]

    def _moment_s(self) -> float:
        """The time, and never the same twice: who joined before a message is told from who joined after it."""
        self._now_s = max(time.monotonic(), math.nextafter(self._now_s, math.inf))
        return self._now_s

    def _channel(self, event: str, channel: Hashable) -> DeliveryChannel:
        place = self._channels.get((event, channel))
        if place is None:
            books = self._books.setdefault(event, ([0] * len(_COUNTS), [0] * len(_COUNTS)))
            place = self._channels[(event, channel)] = DeliveryChannel(books)
        return place

    def _follow(self, place: DeliveryChannel, channel: Hashable, message: _Message) -> None:
        waiting = message.waiting
        assert isinstance(waiting, set)
        waiting.discard(message.sender)
        place.messages[message.key] = message
        previous = place.newest.get(message.sender)
        if previous is not None:
            previous.later = message
        place.newest[message.sender] = message
        self._open.append((place, message))
        self._book(place)[_EXPECTED] += len(waiting)
        for receiver, received_s in self._early.pop((message.event, channel, message.key), ()):
            self._deliver(place, message, receiver, received_s)

    def _deliver(self, place: DeliveryChannel, message: _Message, receiver: Hashable, received_s: float) -> None:
        if receiver == message.sender:
            return
        after_end = received_s >= self._end_s
        book, waiting = place.books[after_end], message.waiting
        if receiver not in place.receivers and receiver not in waiting:
            message.astray |= {receiver}
            return
        if receiver not in waiting:
            # Who joined after a message was sent may still get it, and is not to be blamed for that.
            book[_DUPLICATED] += place.receivers.get(receiver, math.inf) < message.sent_s
            return
        recorder = place.recorders.get(receiver, self._recorder)
        recorder.success(DRAINED if after_end else DELIVERY, message.event, received_s - message.sent_s)
        waiting.remove(receiver)  # type: ignore[union-attr]  # the empty one is frozen, and nobody is in it
        if not waiting:
            message.waiting = _NOBODY
        book[_DELIVERED] += 1
        if message.later is not None:
            book[_OUT_OF_ORDER] += _has_later(message, receiver, place)

    def _count_astray(self, place: DeliveryChannel, message: _Message) -> None:
        """Who has come in meanwhile, or went shortly before the message was sent, was told of it in good order."""
        for receiver in message.astray:
            went_s = place.left.get(receiver, -math.inf)
            place.astray += receiver not in place.receivers and went_s + self._deadline_s < message.sent_s

    def _forgive(self, place: DeliveryChannel, key: Hashable) -> None:
        """Nobody is expected to get a message, and nobody can get it too late."""
        message = place.messages.pop(key, None)
        if message is not None:
            self._book(place)[_EXPECTED] -= len(message.waiting)
            message.waiting = _NOBODY
            message.sent_s = -math.inf


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
    """Whether `receiver` already got a message that the same sender sent after this one.

    The chain of later messages is followed, for any of them may have overtaken this one; who joined between two of them
    was never waited for by the later ones, and has not got them.
    """
    since_s = channel.receivers.get(receiver, math.inf)
    later = message.later
    while later is not None:
        if since_s < later.sent_s and receiver not in later.waiting:
            return True
        later = later.later
    return False
