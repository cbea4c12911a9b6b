"""WebSockets with a protocol of the server's own in a recording: what kind of message each is, and what answers it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson

from dbz.bring import names
from dbz.bring.recording import RecordedSocket, Recording
from dbz.bring.sockets import SocketEvent, SocketSession
from dbz.bring.values import Location, leaves, value_at

ANSWERED_WITHIN_S = 2.0
"""What comes later is no answer, unless it says so."""
_KIND_KEYS = (
    "type", "event", "action", "op", "cmd", "command", "method", "messageType", "message_type", "kind", "do", "is", "t",
)  # fmt: skip
"""Keys under which protocols say what a message is, the most usual first."""
_WORD = re.compile(r"[A-Za-z][\w.:/ -]{0,60}")
_MOST_FOLLOWING = 100
"""An answer is looked for among so many messages after what it answers."""
_LONGEST_LIST = 6
"""Such protocols have lists as short as [reference, topic, event, payload]."""
RAW = "ws:"
"""How the namespace of such messages begins; the path of their socket follows."""
TEXT, BINARY, OTHER = "text", "binary", "message"
"""Messages that do not say what they are."""


@dataclass(frozen=True)
class MessageKind:
    """What a message is, by its own word."""

    name: str
    location: Location = ()
    """Where the message has that word; empty where it says nothing."""


@dataclass(frozen=True)
class AwaitedAnswer:
    """How the message that answers another one is told from others."""

    kind: MessageKind
    same: tuple[Location, Location] | None = None
    """Where the answer repeats a value of the message that it answers, and where that has it."""


def message_of(data: str | bytes) -> Any:
    """A message as scenarios send it: objects and lists of JSON as trees, all else as it is."""
    if isinstance(data, str) and data.lstrip()[:1] in ("{", "["):
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            return data
    return data


def kind_of(message: Any) -> MessageKind:
    """What kind of message one is."""
    if isinstance(message, bytes):
        return MessageKind(BINARY)
    if isinstance(message, str):
        return MessageKind(TEXT)
    if isinstance(message, dict):
        places: Sequence[Location] = [(key,) for key in _KIND_KEYS if key in message]
    else:
        places = [(index,) for index in range(min(len(message), _LONGEST_LIST))] if isinstance(message, list) else []
    for place in places:
        word = value_at(message, place)
        if isinstance(word, str) and _WORD.fullmatch(word) and not names.is_id(word):
            return MessageKind(word, place)
    return MessageKind(OTHER)


def raw_sessions(recording: Recording, taken: Sequence[SocketSession], origin: str) -> list[SocketSession]:
    """The WebSockets to a server (empty for any) that do not speak Socket.IO: one for each user, reconnects included.

    A user has one socket: of another path, or beside a Socket.IO connection (`taken`), it is left out, and noted.
    """
    sessions: dict[str, SocketSession] = {}
    left_out: Counter[str] = Counter()
    others = {session.source for session in taken}
    for socket in sorted(recording.sockets, key=lambda one: one.started_s):
        parts = urlsplit(socket.url)
        if "EIO" in parse_qs(parts.query):
            continue
        path = parts.path or "/"
        opened = _session(socket, path)
        if origin not in ("", opened.origin):
            continue
        session = sessions.setdefault(socket.source, opened)
        if socket.source in others or session.path != path:
            left_out[path] += 1
        else:
            session.events += _events(socket, path)
    if left_out:
        said = ", ".join(f"{path} ({count})" for path, count in left_out.items())
        recording.notes.append(f"WebSockets beside another one of the same user are left out: {said}")
    found = [session for session in sessions.values() if session.source not in others]
    silent = sorted({session.path for session in found if not session.events})
    if silent:
        recording.notes.append(f"WebSockets without messages in the file are only connected: {', '.join(silent)}")
    return found


def _session(socket: RecordedSocket, path: str) -> SocketSession:
    parts = urlsplit(socket.url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    offered = next((value for name, value in socket.headers if name == "sec-websocket-protocol"), "")
    protocols = [one.strip() for one in offered.split(",") if one.strip()]
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return SocketSession(
        f"{scheme}://{parts.netloc}", path, socket.source, socket.started_s, query, protocols=protocols, raw=True
    )


def _events(socket: RecordedSocket, path: str) -> Iterator[SocketEvent]:
    for passed in socket.messages:
        message = message_of(passed.data)
        name = kind_of(message).name
        yield SocketEvent(passed.at_s, passed.sent, name, (message,), f"{RAW}{path}", source=socket.source)


def find_answers(
    sessions: Sequence[SocketSession], delivered: set[str]
) -> dict[int, tuple[SocketEvent, AwaitedAnswer]]:
    """What answers each sent message, by the message's `id()`.

    The messages of one kind have answers when each of them was followed, before the user sent the next of its kind, by
    a message that repeats an id of it; or, within two seconds, by one of a kind that was received just as often as
    that. What was sent or received as one of the `delivered` messages between users is none.
    """
    found: dict[int, tuple[SocketEvent, AwaitedAnswer]] = {}
    asked: defaultdict[str, list[tuple[SocketEvent, list[SocketEvent]]]] = defaultdict(list)
    received: Counter[str] = Counter()
    for session in sessions:
        events = [event for event in session.events if event.sent or event.name not in delivered]
        received.update(event.name for event in events if not event.sent)
        for event, following in _followed(events):
            if event.name not in delivered:
                asked[event.name].append((event, following))
    for occurrences in asked.values():
        for event, answer, awaited in _by_id(occurrences) or _by_kind(occurrences, received):
            found[id(event)] = (answer, awaited)
    return found


def _followed(events: Sequence[SocketEvent]) -> Iterator[tuple[SocketEvent, list[SocketEvent]]]:
    """Each sent event with what was received until the next of its kind was sent."""
    open_events: dict[str, list[SocketEvent]] = {}
    for event in events:
        if event.sent:
            open_events[event.name] = []
            yield event, open_events[event.name]
        else:
            for following in open_events.values():
                if len(following) < _MOST_FOLLOWING:
                    following.append(event)


Occurrence = tuple[SocketEvent, list[SocketEvent]]
Answer = tuple[SocketEvent, SocketEvent, AwaitedAnswer]


def _by_id(occurrences: Sequence[Occurrence]) -> list[Answer]:
    """The answers that repeat an id of what they answer; empty when one of the messages has none."""
    candidates: Counter[tuple[str, Location, Location]] = Counter()
    for sent, following in occurrences:
        ids = {value: place for place, value in leaves(sent.arguments[0]) if _is_reference(place, value)}
        matches = {
            (event.name, place, ids[value])
            for event in following
            for place, value in leaves(event.arguments[0])
            if isinstance(value, str | int) and value in ids
        }
        candidates.update(matches)
    for (name, in_answer, in_sent), count in candidates.most_common():
        if count == len(occurrences):
            return list(_matched(occurrences, name, in_answer, in_sent))
    return []


def _matched(occurrences: Sequence[Occurrence], name: str, in_answer: Location, in_sent: Location) -> Iterator[Answer]:
    for sent, following in occurrences:
        wanted = value_at(sent.arguments[0], in_sent)
        for event in following:
            if event.name == name and value_at(event.arguments[0], in_answer) == wanted:
                yield sent, event, AwaitedAnswer(kind_of(event.arguments[0]), (in_answer, in_sent))
                break


def _by_kind(occurrences: Sequence[Occurrence], received: Counter[str]) -> list[Answer]:
    """The answers of a kind that comes as often as what it answers, and soon; empty when there is none."""
    soon = [
        (sent, [event for event in following if event.at_s - sent.at_s <= ANSWERED_WITHIN_S])
        for sent, following in occurrences
    ]
    for first in soon[0][1]:
        if received[first.name] == len(soon) and all(any(one.name == first.name for one in rest) for _, rest in soon):
            return [
                (sent, answer, AwaitedAnswer(kind_of(answer.arguments[0])))
                for sent, rest in soon
                for answer in [next(one for one in rest if one.name == first.name)]
            ]
    return []


def _is_reference(place: Location, value: Any) -> bool:
    key = next((key for key in reversed(place) if isinstance(key, str)), "")
    named = names.is_id_key(key) or names.snake(key) in ("seq", "ref", "reference", "no", "number")
    return named and isinstance(value, str | int) and not isinstance(value, bool) and value != ""
