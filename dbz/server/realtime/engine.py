"""The Engine.IO transport below Socket.IO, with what the library leaves out."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import engineio
import socketio
from engineio.async_drivers.asgi import WebSocket as AsgiWebSocket
from engineio.async_socket import AsyncSocket

from dbz.server.realtime.takeover import WRITES_AT_ONCE
from dbz.server.realtime.websocket import ServerWebSocket

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_UPGRADE_STEPS = 2  # the probe, and the packet that completes the upgrade


def protocol_log() -> logging.Logger:
    """The log of the protocol libraries. What a client sends wrong is one warning, not an error with a stack trace."""
    log = logging.getLogger("dbz.server.realtime.protocol")
    log.setLevel(logging.WARNING)
    if not log.filters:
        log.addFilter(_without_trace)
    return log


def _without_trace(record: logging.LogRecord) -> bool:
    if record.exc_info and record.exc_info[1] is not None:
        record.msg = f"{record.getMessage()}: {record.exc_info[1]!r}"[:500]
        record.args, record.exc_info = (), None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


class Socket(AsyncSocket):  # type: ignore[misc]
    """A connection whose writer waits for packets without a timer and a task for each of them.

    The library bounds that wait by a timeout to notice dead clients; here the end of a connection wakes it instead.
    """

    delivered_at = 0.0
    """When an event was last sent to it, on the monotonic clock."""
    websocket: ServerWebSocket | None = None
    """What it is connected by, where frames may be written past the queue."""

    def write_at_once(self, frame: bytes) -> bool:
        """Write a frame, if nothing waits before it; a task that is woken for each of them costs as much again."""
        if self.websocket is None or not self.upgraded or not self.queue.empty():
            return False
        # The writer has nothing in hand either: it writes what it takes from the queue in the same step, or waits
        # for room, and then there is none for this.
        return self.websocket.write_at_once(frame)

    async def poll(self) -> list[Any]:
        """The packets that wait for the client, at least one; none when the connection has ended."""
        packets = [await self.queue.get()]
        while not self.queue.empty():
            packets.append(self.queue.get_nowait())
        for _ in packets:
            self.queue.task_done()
        if None not in packets:
            return packets
        if packets[0] is not None:
            self.queue.put_nowait(None)  # what came before the end still goes out
        return packets[: packets.index(None)]


class PacketWebSocket(AsgiWebSocket):  # type: ignore[misc]
    """A WebSocket that hands each packet to the ASGI server as it is, without a coroutine of its own for it."""

    async def __call__(self, environ: MutableMapping[str, Any]) -> str:
        """Accept, and serve until it ends."""
        self.asgi_receive, self.asgi_send = environ["asgi.receive"], environ["asgi.send"]
        await self.asgi_send({"type": "websocket.accept"})
        at_once = environ["asgi.scope"].get("extensions", {}).get(WRITES_AT_ONCE)
        self.handler.__self__.websocket = at_once() if at_once else None
        await self.handler(self)
        return ""

    def send(self, message: str | bytes) -> Awaitable[None]:
        """Send a packet."""
        kind = "text" if isinstance(message, str) else "bytes"
        sent: Awaitable[None] = self.asgi_send({"type": "websocket.send", kind: message})
        return sent


class Engine(engineio.AsyncServer):  # type: ignore[misc]
    """Makes connections of the class above.

    It also ends a long poll that is under way when its connection closes; otherwise it would hang until the next ping.
    `admit` decides about each new connection; one that it does not admit is refused.
    """

    admit: Callable[[str], bool] = staticmethod(lambda _sid: True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._async: dict[str, Any] = {**self._async, "websocket": PacketWebSocket}

    def generate_id(self) -> str:
        """A connection id that names the process which holds it, see `relay`."""
        return f"{os.getpid()}-{super().generate_id()}"

    async def _trigger_event(self, event: str, *args: Any, **kwargs: Any) -> Any:
        if event == "connect":
            # The library has no hook for making connections; this is the first moment at which one exists.
            self.sockets[args[0]].__class__ = Socket
            if not self.admit(args[0]):
                return "too many connections without a token; try again shortly"
        result = await super()._trigger_event(event, *args, **kwargs)
        socket = self.sockets.get(args[0]) if event == "disconnect" else None
        if socket is not None:
            # Not at once: a close packet that tells the client may still be put before it.
            asyncio.get_running_loop().call_soon(socket.queue.put_nowait, None)
        return result


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]
    """Socket.IO over `Engine`."""

    def _engineio_server_class(self) -> type[Engine]:
        return Engine


async def read_body(receive: Receive, most_bytes: int, timeout_s: float) -> bytes:
    """The body of a request; `TimeoutError` when it does not come in time, `ValueError` when it is too large."""
    body, more = bytearray(), True
    async with asyncio.timeout(timeout_s):
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event["type"] == "http.request" and event.get("more_body", False)
            if len(body) > most_bytes:
                raise ValueError(f"a body has at most {most_bytes} bytes")
    return bytes(body)


def with_body(body: bytes, receive: Receive) -> Receive:
    """`receive` that gives this body first."""
    events: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_event() -> MutableMapping[str, Any]:
        return events.pop() if events else await receive()

    return next_event


def with_upgrade_timeout(scope: MutableMapping[str, Any], receive: Receive, timeout_s: float) -> Receive:
    """`receive` that gives up when a polling client does not complete its upgrade to a WebSocket in time."""
    upgrading = scope["type"] == "websocket" and b"sid" in parse_qs(scope["query_string"])
    if not upgrading:
        return receive
    left = _UPGRADE_STEPS + 1  # the connect event comes first

    async def limited() -> MutableMapping[str, Any]:
        nonlocal left
        if left <= 0:
            return await receive()
        left -= 1
        try:
            return await asyncio.wait_for(receive(), timeout_s)
        except TimeoutError:
            return {"type": "websocket.disconnect", "code": 1001}

    return limited
