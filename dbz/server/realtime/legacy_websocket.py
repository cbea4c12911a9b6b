"""Clients of Engine.IO 3 (Socket.IO 2), which the protocol library no longer speaks, over WebSocket.

The differences that matter: the client sends the pings and the server answers; the server opens the default namespace
by itself, with the token in the URL instead of a payload; an error is a text instead of an object.
Source: the protocol documents of Engine.IO 3 and 4 and Socket.IO 4 and 5.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import orjson

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Handle = Callable[[Event, Receive, Send], Awaitable[None]]

PING, PONG, OPEN, CONNECT, ERROR = "2", "3", "0", "40", "44"


def is_legacy(scope: Event) -> bool:
    """Whether this comes from a client of Engine.IO 3."""
    return parse_qs(scope["query_string"]).get(b"EIO") == [b"3"]


async def serve_legacy(handle: Handle, scope: Event, receive: Receive, send: Send, silence_s: float) -> None:
    """Have `handle` serve the client as one of Engine.IO 4; one that is silent for `silence_s` is given up."""
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    token = query.pop("token", "")
    translator = _Translator(receive, send, token, silence_s)
    reading = asyncio.create_task(translator.read())
    try:
        # Without extensions: every packet has to be translated.
        modern = {**scope, "query_string": urlencode({**query, "EIO": "4"}).encode(), "extensions": {}}
        await handle(modern, translator.next, translator.send)
    finally:
        reading.cancel()


class _Translator:
    """Stands between an old client and the server; `next` and `send` are the server's side."""

    def __init__(self, receive: Receive, send: Send, token: str, silence_s: float) -> None:
        self._receive = receive
        self._send = send
        self._token = token
        self._silence_s = silence_s
        self._heard_at = time.monotonic()
        self._events: asyncio.Queue[Event] = asyncio.Queue(maxsize=100)

    async def read(self) -> None:
        """Pass on what the client sends, but for its pings, answered here, and an opening of the default namespace."""
        while True:
            event = await self._receive()
            self._heard_at = time.monotonic()
            text = event.get("text")
            if text == PING:
                await self._send({"type": "websocket.send", "text": PONG})
            elif not isinstance(text, str) or not opens_default_namespace(text):
                await self._events.put(event)
            if event["type"] == "websocket.disconnect":
                return

    async def next(self) -> Event:
        """The next event for the server."""
        return await self._events.get()

    async def send(self, event: Event) -> None:
        """Pass on what the server sends."""
        text = event.get("text")
        if text == PING:
            if time.monotonic() - self._heard_at < self._silence_s:
                await self._say(PONG)
            return
        await self._send({**event, "text": old_form(text)} if isinstance(text, str) else event)
        if isinstance(text, str) and text.startswith(OPEN):
            await self._say(CONNECT + orjson.dumps({"token": self._token}).decode())

    async def _say(self, text: str) -> None:
        await self._events.put({"type": "websocket.receive", "text": text})


def old_form(packet: str) -> str:
    """A packet of the server as an old client reads it: an opened namespace without data, an error as a text."""
    if packet.startswith(CONNECT):
        return CONNECT
    if packet.startswith(ERROR):
        return ERROR + orjson.dumps(_message(packet.removeprefix(ERROR))).decode()
    return packet


def opens_default_namespace(text: str) -> bool:
    """Whether a client asks for the default namespace, which is opened for it unasked."""
    return text.startswith(CONNECT) and not text.startswith(CONNECT + "/")


def _message(payload: str) -> str:
    try:
        error = orjson.loads(payload)
    except ValueError:
        return payload
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)
