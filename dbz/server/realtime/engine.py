"""The Engine.IO transport below Socket.IO, with what the library leaves out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import engineio
import socketio

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

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


class Engine(engineio.AsyncServer):  # type: ignore[misc]
    """Ends a long poll that is under way when its connection closes; otherwise it would hang until the next ping."""

    async def _trigger_event(self, event: str, *args: Any, **kwargs: Any) -> Any:
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
