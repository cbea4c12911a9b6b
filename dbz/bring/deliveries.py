"""Messages that one recorded user sent and another received: how one tells which receipt belongs to which message."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dbz.bring.sockets import SocketEvent, SocketSession
from dbz.bring.steps import Delivery
from dbz.bring.values import Location, leaves, value_at

WITHIN_S = 5.0
"""A receipt this long after a message may be of it."""
_EACH = "*"

Pair = tuple[SocketEvent, SocketEvent]


def find_deliveries(sessions: Sequence[SocketSession]) -> list[Delivery]:
    """Each kind of message that was seen to go from one user to another."""
    pairs: defaultdict[tuple[str, str], list[Pair]] = defaultdict(list)
    for sender in sessions:
        for sent in filter(lambda event: event.sent, sender.events):
            for receiver in sessions:
                if receiver.source != sender.source:
                    for received in _receipts(sent, receiver.events):
                        pairs[sent.name, received.name].append((sent, received))
    found = (_delivery(names, matched) for names, matched in pairs.items())
    best: dict[str, Delivery] = {}
    for delivery in filter(None, found):
        best.setdefault(delivery.sent_event, delivery)
    return list(best.values())


def _receipts(sent: SocketEvent, events: Iterable[SocketEvent]) -> Iterator[SocketEvent]:
    """What another user received soon after, and shares a value with the message."""
    values = {value for _, value in leaves(list(sent.arguments)) if _tells_apart(value)}
    for event in events:
        soon = not event.sent and event.namespace == sent.namespace and 0 <= event.at_s - sent.at_s <= WITHIN_S
        if soon and values & {value for _, value in leaves(list(event.arguments)) if _tells_apart(value)}:
            yield event


def _tells_apart(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _delivery(names: tuple[str, str], pairs: Sequence[Pair]) -> Delivery | None:
    """Where key and room stand in a kind of message; None when nothing tells its messages apart.

    The key is what both sides of every pair share and what differs from message to message; with a single message, what
    is longest. The room is what both share and what stays.
    """
    shared = Counter(places for sent, received in pairs for places in _shared_places(sent, received))
    messages = {id(sent): sent for sent, _ in pairs}.values()
    keys, rooms = [], []
    for (in_sent, in_received), count in shared.items():
        if count < len(messages):
            continue
        values = [value_at(sent.arguments, in_sent) for sent in messages]
        differing = len(set(map(str, values))) == len(values)
        if differing and isinstance(values[0], str):
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
