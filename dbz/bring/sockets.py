"""Socket.IO in a recording: the events of each connection, out of WebSocket messages and polling requests.

Engine.IO 4 puts one packet into a WebSocket message, and several, parted by U+001E, into the body of a polling request.
"""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dbz.bring.recording import Exchange, Recording, SocketMessage
from dbz.protocols import socketio as packets
from dbz.protocols.socketio import PacketError

_SEPARATOR = "\x1e"
_MESSAGE = "4"


@dataclass(frozen=True)
class SocketEvent:
    """An event that one side sent to the other; without Socket.IO a message, whose kind is its name."""

    at_s: float
    sent: bool
    """Whether the client sent it; otherwise it arrived."""
    name: str
    arguments: Sequence[Any] = ()
    namespace: str = packets.DEFAULT
    asks_answer: bool = False
    """Whether the sender asked for an acknowledgement."""
    answer: Sequence[Any] | None = None
    """What the acknowledgement brought; None when none came."""
    source: str = ""


@dataclass
class SocketSession:
    """One Socket.IO connection from its handshake on."""

    origin: str
    """Scheme and host of the server, as `http://…`."""
    path: str
    source: str
    started_s: float
    query: dict[str, str] = field(default_factory=dict)
    """What the client put into the query beside the protocol's own keys."""
    protocols: list[str] = field(default_factory=list)
    """The subprotocols that the client offered."""
    raw: bool = False
    """Whether the server has a protocol of its own, and not Socket.IO: then events are whole messages."""
    auth: dict[str, Any] = field(default_factory=dict)
    """The authentication payload of each namespace that was connected to."""
    events: list[SocketEvent] = field(default_factory=list)


def is_polling(exchange: Exchange) -> bool:
    """Whether an exchange is a request of a Socket.IO connection."""
    return "EIO=" in exchange.url and {"EIO", "transport"} <= {name for name, _ in exchange.query}


def socket_sessions(recording: Recording) -> list[SocketSession]:
    """The Socket.IO connections of a recording, by their start; `dbz.bring.messages` has WebSockets of other kinds."""
    streams: defaultdict[str, list[SocketMessage]] = defaultdict(list)
    sessions: dict[str, SocketSession] = {}
    for number, socket in enumerate(recording.sockets):
        query = parse_qs(urlsplit(socket.url).query)
        if "EIO" not in query:
            continue
        key = query.get("sid", [f"socket {number}"])[0]
        sessions.setdefault(key, _session(socket.url, socket.source, socket.started_s))
        streams[key] += socket.messages
    for exchange in filter(is_polling, recording.exchanges):
        key = dict(exchange.query).get("sid") or _sid_in(exchange)
        if key:
            session = sessions.setdefault(key, _session(exchange.url, exchange.source, exchange.started_s))
            session.started_s = min(session.started_s, exchange.started_s)
            streams[key] += _polled(exchange)
    for key, session in sessions.items():
        _decode(session, sorted(streams[key], key=lambda message: message.at_s))
    return sorted(sessions.values(), key=lambda session: session.started_s)


def _session(url: str, source: str, started_s: float) -> SocketSession:
    parts = urlsplit(url)
    query = {
        name: values[0]
        for name, values in parse_qs(parts.query).items()
        if name not in ("EIO", "transport", "sid", "t")
    }
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return SocketSession(f"{scheme}://{parts.netloc}", parts.path, source, started_s, query)


def _sid_in(exchange: Exchange) -> str:
    """The id that the handshake of a polling connection gave."""
    text = exchange.answer.value
    start = text.find('"sid":"') if isinstance(text, str) else -1
    return text[start + 7 :].partition('"')[0] if start >= 0 else ""


def _polled(exchange: Exchange) -> Iterator[SocketMessage]:
    sent, received = exchange.body.value, exchange.answer.value
    for text, is_sent, at_s in (
        (sent, True, exchange.started_s),
        (received if exchange.method == "GET" else "", False, exchange.started_s + exchange.duration_s),
    ):
        for packet in text.split(_SEPARATOR) if isinstance(text, str) else ():
            yield SocketMessage(at_s, is_sent, _attachment(packet[1:]) if packet.startswith("b") else packet)


def _attachment(text: str) -> str | bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return text


def _decode(session: SocketSession, messages: Iterable[SocketMessage]) -> None:
    """Put the packets of a connection, in their order, into a session."""
    asked: dict[tuple[bool, str, int], int] = {}  # who asked, namespace, number -> index of the event
    waiting: dict[bool, tuple[packets.Packet, list[bytes]]] = {}  # for binary attachments, by direction
    for message in messages:
        if isinstance(message.data, bytes):
            if message.sent not in waiting:
                continue
            packet, parts = waiting[message.sent]
            parts.append(message.data)
            if len(parts) < packet.attachments:
                continue
            del waiting[message.sent]
            packet = packet._replace(data=packets.restore(packet.data, parts))
        elif not message.data.startswith(_MESSAGE):
            continue
        else:
            try:
                packet = packets.parse(message.data.encode())
            except PacketError:
                continue
            if packet.attachments:
                waiting[message.sent] = (packet, [])
                continue
        _take(session, packet, message, asked)


def _take(
    session: SocketSession, packet: packets.Packet, message: SocketMessage, asked: dict[tuple[bool, str, int], int]
) -> None:
    kind, namespace, number = packet.kind, packet.namespace, packet.number
    if kind == packets.CONNECT and message.sent:
        session.auth[namespace] = packet.data
    elif kind in (packets.EVENT, packets.BINARY_EVENT):
        if number is not None:
            asked[message.sent, namespace, number] = len(session.events)
        name, *arguments = packet.data
        event = SocketEvent(
            message.at_s, message.sent, name, tuple(arguments), namespace, number is not None, source=session.source
        )
        session.events.append(event)
    elif kind in (packets.ACK, packets.BINARY_ACK) and number is not None:
        index = asked.get((not message.sent, namespace, number))
        if index is not None:
            session.events[index] = replace(session.events[index], answer=tuple(packet.data))
