"""Clients of Engine.IO 3 (Socket.IO 2) by polling, with which they begin before they upgrade to a WebSocket.

Beside the differences that `legacy_websocket` bridges, packets are put together otherwise: each with its length before
it, counted in UTF-16 code units as JavaScript does, instead of a separator between them.
Source: engine.io-parser 2.2 and the protocol document of Engine.IO 3. Payloads of bytes, which only clients make that
send bytes, and JSONP are refused: no event of this server is of either kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode

import orjson
from engineio.packet import MESSAGE, PONG, Packet

from dbz.server.realtime.engine import with_body
from dbz.server.realtime.legacy_websocket import (
    CONNECT,
    OPEN,
    PING,
    Event,
    Handle,
    Receive,
    Send,
    old_form,
    opens_default_namespace,
)

_NOOP = "6"
_SEPARATOR = "\x1e"
_BAD = (400, [(b"content-type", b"text/plain")], "a payload of Engine.IO 3 as text is expected")

Answer = tuple[int, list[tuple[bytes, bytes]], str]


class EngineSocket(Protocol):
    """A connection of the Engine.IO server."""

    async def send(self, packet: Packet) -> None:
        """Queue a packet for the client."""

    async def receive(self, packet: Packet) -> None:
        """Take a packet for one of the client's."""


Find = Callable[[str], EngineSocket | None]


async def serve_legacy_polling(handle: Handle, find: Find, scope: Event, receive: Receive, send: Send) -> None:
    """Have `handle` serve one polling request as one of Engine.IO 4; `find` gives the connection of a `sid`."""
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    token, socket = query.pop("token", ""), find(query.get("sid", ""))
    query.pop("b64", None)
    # Compressed answers could not be translated.
    headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    modern = {**scope, "headers": headers, "query_string": urlencode({**query, "EIO": "4"}).encode()}
    if scope["method"] == "POST":
        await _say(send, await _posted(handle, socket, modern, receive))
    elif scope["method"] == "GET" and "j" not in query:
        status, answered, text = await _answer_of(handle, modern, receive)
        if status == 200:
            text = await _translated(text, token, socket, find)
        await _say(send, (status, answered, text))
    elif scope["method"] == "OPTIONS":
        await handle(modern, receive, send)
    else:
        await _say(send, _BAD)


async def _posted(handle: Handle, socket: EngineSocket | None, scope: Event, receive: Receive) -> Answer:
    try:
        packets = split((await receive()).get("body", b"").decode())  # the gateway has read all of it
    except ValueError:
        return _BAD
    kept = [_modern(packet) for packet in packets if packet != PING and not opens_default_namespace(packet)]
    if socket is not None:
        for _ in range(packets.count(PING)):
            await socket.send(Packet(PONG))  # goes out with the poll that waits
        if not kept:
            return 200, [(b"content-type", b"text/html")], "ok"
    payload = _SEPARATOR.join(kept).encode()
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
    scope = {**scope, "headers": [*headers, (b"content-length", str(len(payload)).encode())]}
    return await _answer_of(handle, scope, with_body(payload, receive))


async def _translated(text: str, token: str, socket: EngineSocket | None, find: Find) -> str:
    """What the server says to a modern client, as an old one reads it; pings of the server are answered here."""
    packets = []
    for packet in text.split(_SEPARATOR):
        if packet == PING:
            if socket is not None:  # it polls, so it lives
                await socket.receive(Packet(PONG))
            continue
        packets.append(f"b4{packet[1:]}" if packet.startswith("b") else old_form(packet))
        if packet.startswith(OPEN):
            opened = find(orjson.loads(packet[1:])["sid"])
            if opened is not None:  # an old client waits for the default namespace to be opened
                await opened.receive(Packet(MESSAGE, CONNECT[1:] + orjson.dumps({"token": token}).decode()))
    return join(packets or [_NOOP])


def split(payload: str) -> list[str]:
    """The packets of a payload of Engine.IO 3; `ValueError` when it is none."""
    units = payload.encode("utf-16-le")
    packets, position = [], 0
    while position < len(units):
        colon = units.find(b":\x00", position)
        length = units[position:colon].decode("utf-16-le") if colon > 0 else ""
        start = colon + 2
        end = start + 2 * int(length) if length.isascii() and length.isdigit() and len(length) < 9 else -1
        if not start < end <= len(units):
            raise ValueError("this is no payload of Engine.IO 3")
        packets.append(units[start:end].decode("utf-16-le"))
        position = end
    return packets


def join(packets: list[str]) -> str:
    """The payload of Engine.IO 3 that has these packets."""
    return "".join(f"{len(packet.encode('utf-16-le')) // 2}:{packet}" for packet in packets)


def _modern(packet: str) -> str:
    return f"b{packet[2:]}" if packet.startswith("b4") else packet


async def _answer_of(handle: Handle, scope: Event, receive: Receive) -> Answer:
    status, headers, body = 500, [], bytearray()

    async def keep(event: Event) -> None:
        nonlocal status, headers
        if event["type"] == "http.response.start":
            status, headers = event["status"], list(event["headers"])
        body.extend(event.get("body", b""))

    await handle(scope, receive, keep)
    return status, headers, body.decode()


async def _say(send: Callable[[Any], Awaitable[None]], answer: Answer) -> None:
    status, headers, text = answer
    body = text.encode()
    kept = [(name, value) for name, value in headers if name.lower() != b"content-length"]
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*kept, length]})
    await send({"type": "http.response.body", "body": body})
