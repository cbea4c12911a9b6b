"""Messages that one recorded user sent and another received: how one tells which receipt belongs to which message."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from dbz.bring.sockets import SocketEvent, SocketSession
from dbz.bring.steps import Delivery
from dbz.bring.values import Location, leaves, value_at

WITHIN_S = 5.0
"""A receipt this long after a message may be of it."""
_EACH = "*"
_MOST_LOOKED_AT = 200
"""So many receipts after a message are looked at for each of its values: what tells messages apart is in few."""
_MOST_RECEIPTS = 4
"""So many receipts of one message and one kind say where key and room are; a room may have hundreds of members."""

_SURELY_A_ROOM = 2
"""The rank of what is called a room, a channel or a game."""

Pair = tuple[SocketEvent, SocketEvent]


def find_deliveries(sessions: Sequence[SocketSession]) -> list[Delivery]:
    """Each kind of message that was seen to go from one user to another.

    What was received belongs to the message with which it shares most values, the latest of these: also to one of the
    receiver's own, of which a server may tell everybody.
    """
    received_values = _ReceivedValues(sessions)
    matches: list[tuple[SocketEvent, _Received, int]] = []
    best: dict[int, tuple[int, float]] = {}
    for sender in sessions:
        for sent in filter(lambda event: event.sent, sender.events):
            values = _values(sent)
            for receipt in received_values.of(sent, values):
                shared = len(values & receipt.values)
                if receipt.source != sender.source:
                    matches.append((sent, receipt, shared))
                best[id(receipt)] = max(best.get(id(receipt), (0, 0.0)), (shared, sent.at_s))
    pairs: defaultdict[tuple[str, str], list[Pair]] = defaultdict(list)
    counts: Counter[tuple[int, str]] = Counter()
    for sent, receipt, shared in matches:
        name = receipt.event.name
        if best[id(receipt)] == (shared, sent.at_s) and counts[id(sent), name] < _MOST_RECEIPTS:
            counts[id(sent), name] += 1
            pairs[sent.name, name].append((sent, receipt.event))
    found = (_delivery(names, matched) for names, matched in pairs.items())
    deliveries: dict[str, Delivery] = {}
    for delivery in filter(None, found):
        deliveries.setdefault(delivery.sent_event, _in_entered_room(delivery, sessions))
    return list(deliveries.values())


@dataclass(frozen=True, eq=False)
class _Received:
    """An event that a user received."""

    event: SocketEvent
    source: str
    values: set[Any]
    """Those by which it may be told apart."""


class _ReceivedValues:
    """What all users received, by the values in it and in the order of time."""

    def __init__(self, sessions: Sequence[SocketSession]) -> None:
        self._by_value: defaultdict[tuple[str, Any], list[_Received]] = defaultdict(list)
        for session in sessions:
            for event in filter(lambda event: not event.sent, session.events):
                received = _Received(event, session.source, _values(event))
                for value in received.values:
                    self._by_value[event.namespace, value].append(received)
        for listed in self._by_value.values():
            listed.sort(key=lambda one: one.event.at_s)

    def of(self, sent: SocketEvent, values: set[Any]) -> Iterator[_Received]:
        """What was received soon after, and shares a value with the message, in the order of time."""
        found: dict[int, _Received] = {}
        for value in values:
            listed = self._by_value.get((sent.namespace, value), ())
            first = bisect_left(listed, sent.at_s, key=lambda one: one.event.at_s)
            for received in islice(listed, first, first + _MOST_LOOKED_AT):
                if received.event.at_s - sent.at_s > WITHIN_S:
                    break
                found[id(received)] = received
        yield from sorted(found.values(), key=lambda one: one.event.at_s)


def _values(event: SocketEvent) -> set[Any]:
    return {value for _, value in leaves(list(event.arguments)) if _tells_apart(value)}


def _tells_apart(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _delivery(names: tuple[str, str], pairs: Sequence[Pair]) -> Delivery | None:
    """Where key and room stand in a kind of message; None when nothing tells its messages apart.

    The key is what both sides of every pair share and what differs from message to message; with a single message, what
    is longest, and no room. The room is what both share and what stays.
    """
    shared = Counter(places for sent, received in pairs for places in _shared_places(sent, received))
    messages = {id(sent): sent for sent, _ in pairs}.values()
    keys, rooms = [], []
    for (in_sent, in_received), count in shared.items():
        if count < len(messages):
            continue
        values = [value_at(sent.arguments, in_sent) for sent in messages]
        differing = len(set(map(str, values))) == len(values)
        is_room = len(values) == 1 and _room_rank(in_sent) >= _SURELY_A_ROOM
        if differing and isinstance(values[0], str) and not is_room:
            keys.append((_key_rank(in_sent, values[0]), in_sent, in_received))
        if len(set(map(str, values))) == 1:
            rooms.append((_room_rank(in_sent), in_sent, in_received))
    if not keys:
        return None
    _, key_sent, key_received = max(keys, key=lambda key: key[0])
    others = [room for room in rooms if room[1] != key_sent and room[0]]
    room = max(others, key=lambda room: room[0]) if others else (0, None, None)
    return Delivery(*names, key_sent, key_received, room[1], room[2])


def _shared_places(sent: SocketEvent, received: SocketEvent) -> set[tuple[Location, Location]]:
    places: defaultdict[Any, list[Location]] = defaultdict(list)
    for location, value in leaves(list(received.arguments)):
        if _tells_apart(value):
            places[value].append(_with_wildcards(location))
    return {
        (location, other)
        for location, value in leaves(list(sent.arguments))
        if _tells_apart(value)
        for other in places.get(value, ())
    }


def _with_wildcards(location: Location) -> Location:
    """The place with "*" for every index of a list but the first, which numbers the arguments."""
    return (*location[:1], *(_EACH if isinstance(key, int) else key for key in location[1:]))


def _key_rank(location: Location, value: str) -> tuple[bool, int]:
    key = str(location[-1]).lower()
    return key.endswith(("id", "key", "nonce", "uuid")) and "room" not in key, len(value)


def _room_rank(location: Location) -> int:
    key = str(location[-1]).lower()
    return next((rank for rank, word in ((3, "room"), (3, "channel"), (2, "game"), (1, "id")) if word in key), 0)


def _in_entered_room(delivery: Delivery, sessions: Sequence[SocketSession]) -> Delivery:
    """A delivery with its room, if anybody was seen to enter that; else everybody who is connected is in it."""
    rooms = rooms_of([delivery], sessions)
    sent = (event for session in sessions for event in session.events if event.sent)
    others = (event for event in sent if event.name != delivery.sent_event)
    entered = any(value in rooms for event in others for _, value in leaves(list(event.arguments)))
    return delivery if entered or not rooms else replace(delivery, room_sent=None, room_received=None)


def rooms_of(deliveries: Sequence[Delivery], sessions: Sequence[SocketSession]) -> dict[Any, str]:
    """The rooms that messages were sent to, each with the event that is received in it."""
    rooms = {}
    for delivery in deliveries:
        for event in (event for session in sessions for event in session.events):
            if delivery.room_sent and event.sent and event.name == delivery.sent_event:
                rooms[value_at(event.arguments, delivery.room_sent)] = delivery.received_event
    return {room: event for room, event in rooms.items() if room is not None}
