"""Requests of a polling connection that reach a process which does not hold it are relayed to the one that does.

The processes of one server share a port, and the kernel gives each new TCP connection to any of them. A connection id
starts with the process id of its owner; the owner listens on a Unix socket, over which ASGI events travel both ways.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Handle = Callable[[Event, Receive, Send], Awaitable[None]]

_SCOPE = ("type", "method", "path", "query_string", "headers", "scheme", "http_version")
_LENGTH_BYTES = 4
_CONNECT_S = 1.0
_ABSTRACT = sys.platform == "linux"  # names without files: a killed process leaves nothing behind


def owner_of(scope: Event) -> int | None:
    """The process id in the `sid` of the query string, None when there is none."""
    sid = parse_qs(scope["query_string"]).get(b"sid", [b""])[0]
    pid, dash, _ = sid.partition(b"-")
    return int(pid) if dash and pid.isdigit() and len(pid) < 10 else None


class Relay:
    """One process's end. `handle` answers what others relay here."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen for the other processes."""
        self._server = await asyncio.start_unix_server(self._serve, path=_address(os.getpid()))

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
        if not _ABSTRACT:
            Path(_address(os.getpid())).unlink(missing_ok=True)

    async def forward(self, owner: int, scope: Event, receive: Receive, send: Send) -> bool:
        """Have process `owner` answer; False, with nothing sent, when it is not there."""
        try:
            reader, writer = await asyncio.open_unix_connection(sock=_connect(owner))
        except OSError:
            return False
        _write(writer, {key: scope[key] for key in _SCOPE if key in scope})
        upstream = asyncio.create_task(_pump(receive, writer))
        try:
            while (event := await _read(reader)) is not None:
                await send(event)
        finally:
            upstream.cancel()
            writer.close()
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        scope = await _read(reader)

        async def receive() -> Event:
            assert scope is not None
            gone = "websocket.disconnect" if scope["type"] == "websocket" else "http.disconnect"
            return await _read(reader) or {"type": gone}

        async def send(event: Event) -> None:
            _write(writer, event)
            await writer.drain()

        try:
            if scope is not None:
                await self._handle(scope, receive, send)
        except OSError:
            return  # the client went away, and the relaying process with it
        finally:
            writer.close()


def _connect(pid: int) -> socket.socket:
    """A connection to process `pid`; at once, because it is on this machine. OSError when it is not there."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        # By hand: the event loop cannot connect to names without files.
        connection.settimeout(_CONNECT_S)
        connection.connect(_address(pid))
        connection.setblocking(False)
    except OSError:
        connection.close()
        raise
    return connection


def _address(pid: int) -> str:
    name = f"dbz-server-{os.getppid()}-{pid}"
    return f"\0{name}" if _ABSTRACT else str(Path(tempfile.gettempdir()) / f"{name}.sock")


async def _pump(receive: Receive, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while True:
            event = await receive()
            _write(writer, event)
            await writer.drain()
            if event["type"].endswith("disconnect"):
                return


def _write(writer: asyncio.StreamWriter, event: Event) -> None:
    frame = orjson.dumps(event, default=_as_text)
    writer.write(len(frame).to_bytes(_LENGTH_BYTES) + frame)


def _as_text(value: Any) -> Any:
    """Bytes as text of the same code points, marked, so that the other end can tell them from text."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"b": bytes(value).decode("latin-1")}
    raise TypeError(f"{type(value).__name__} in an ASGI event")


async def _read(reader: asyncio.StreamReader) -> Event | None:
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
        frame = orjson.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, OSError):
        return None
    event: Event = _with_bytes(frame)
    return event


def _with_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return value["b"].encode("latin-1") if value.keys() == {"b"} else {k: _with_bytes(v) for k, v in value.items()}
    return [_with_bytes(item) for item in value] if isinstance(value, list) else value
