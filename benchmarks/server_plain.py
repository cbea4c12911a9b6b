"""The peer of the reference server: python-socketio's own server with the same events, and a list as constant bytes.

It checks nothing, stores nothing and knows no users: what it needs is the least that these libraries can need.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import socketio

Message = MutableMapping[str, Any]

_BODY = Path(os.environ["BENCH_BODY"]).read_bytes() if "BENCH_BODY" in os.environ else b"{}"
_START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}

sockets = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")


@sockets.on("room:join")
async def join(sid: str, data: dict[str, Any]) -> dict[str, bool]:
    """Join any room."""
    await sockets.enter_room(sid, data["roomId"])
    return {"ok": True}


@sockets.on("message:send")
async def send(sid: str, data: dict[str, Any]) -> dict[str, bool]:
    """Send a message to everybody in its room."""
    await sockets.emit("message:batch", {"messages": [{**data, "senderId": sid}]}, room=data["roomId"])
    return {"ok": True}


async def constant(_scope: Message, _receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
    """The same bytes for every request."""
    await send(_START)
    await send({"type": "http.response.body", "body": _BODY})


app = socketio.ASGIApp(sockets, constant)
