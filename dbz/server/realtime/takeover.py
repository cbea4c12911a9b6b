"""WebSockets that this process takes over from the ASGI server when their handshake has been answered.

The ASGI server keeps 150 KB for each WebSocket, most of it a read buffer that it fills with zeros, and has no setting
for its size. So it is told to treat handshakes as the HTTP requests that they are. The one that accepts gets status
101, after which the server lets go of its connection; a duplicate of the connection lives on in the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from dbz.background import end
from dbz.server.realtime.descriptors import Descriptors, is_connection
from dbz.server.realtime.handshake import Refusal, acceptance, refusal_of
from dbz.server.realtime.websocket import ServerWebSocket

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Serve = Callable[[Event, Receive, Send], Awaitable[None]]

WRITES_AT_ONCE = "dbz.writes_at_once"
"""The extension of ASGI that gives, of an accepted WebSocket, the `ServerWebSocket` itself."""
_LET_GO_S = 5.0
_FIRST_LOOK_S, _LAST_LOOK_S = 0.0005, 0.02
_GOING_ON, _FAILED = 1000, 1011
_log = logging.getLogger(__name__)


class Takeovers:
    """Serves WebSockets by an ASGI application, at most `most` at a time; more are refused with 503."""

    def __init__(self, most: int, most_files: int, most_message_bytes: int) -> None:
        self._most = most
        self._open = 0
        self._descriptors = Descriptors(most_files)
        self._most_message_bytes = most_message_bytes
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, application: Serve, scope: Event, send: Send) -> None:
        """Answer the handshake in an HTTP request; if it is accepted, `application` goes on after this has ended."""
        headers = dict(scope["headers"])
        refusal = refusal_of(scope, headers)
        if refusal is None and self._open >= self._most:
            refusal = Refusal(503, [(b"retry-after", b"1")], b"too many WebSockets are open; try again shortly")
        if refusal is not None:
            await _answer(send, refusal)
            return
        self._open += 1
        opening = _Opening(scope, headers[b"sec-websocket-key"], send, self._accepted)
        task = asyncio.create_task(self._run(application, scope, opening))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await opening.answered.wait()

    async def stop(self) -> None:
        """End all of them."""
        await end(list(self._tasks))

    async def _run(self, application: Serve, scope: Event, opening: _Opening) -> None:
        code = _GOING_ON
        try:
            extensions = {WRITES_AT_ONCE: lambda: opening.websocket}
            opened = {**scope, "type": "websocket", "subprotocols": [], "extensions": extensions}
            await application(opened, opening.receive, opening.send)
        except ConnectionError as error:
            _log.warning("a WebSocket was not taken over: %s", error)
        except Exception:
            _log.exception("a WebSocket failed")
            code = _FAILED
        finally:
            if opening.websocket is not None:
                opening.websocket.close(code)
            else:
                self._open -= 1
                await opening.refuse()

    async def _accepted(self, opening: _Opening, headers: list[tuple[bytes, bytes]]) -> ServerWebSocket:
        """Answer with 101, wait until the ASGI server has let go of the connection, and go on with its duplicate."""
        client, port = _ends(opening.scope)
        found = self._descriptors.duplicate(client, port)
        if found is None:
            raise ConnectionResetError("its connection has ended, or is not of this process")
        connection, number = found
        try:
            await opening.answer(Refusal(101, [*acceptance(opening.key), *headers], b""))
            async with asyncio.timeout(_LET_GO_S):
                look_s = 0.0
                while is_connection(number, client, port):
                    await asyncio.sleep(look_s)
                    look_s = min(max(2 * look_s, _FIRST_LOOK_S), _LAST_LOOK_S)
        except BaseException:
            connection.close()
            raise
        return await self._attach(connection)

    async def _attach(self, connection: socket.socket) -> ServerWebSocket:
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.connect_accepted_socket(
                lambda: ServerWebSocket(self._most_message_bytes, self._lost), connection
            )
        except OSError as error:
            connection.close()
            raise ConnectionResetError(f"its connection has ended: {error}") from None
        return protocol

    def _lost(self) -> None:
        self._open -= 1


class _Opening:
    """The ASGI side of a WebSocket from its handshake on."""

    def __init__(
        self,
        scope: Event,
        key: bytes,
        send: Send,
        accept: Callable[[_Opening, list[tuple[bytes, bytes]]], Awaitable[ServerWebSocket]],
    ) -> None:
        self.scope = scope
        self.key = key
        self.websocket: ServerWebSocket | None = None
        self.answered = asyncio.Event()
        self._send = send
        self._accept = accept
        self._decided = asyncio.Event()
        self._begun = False

    async def receive(self) -> Event:
        """See ASGI."""
        if not self._begun:
            self._begun = True
            return {"type": "websocket.connect"}
        await self._decided.wait()
        if self.websocket is None:
            return {"type": "websocket.disconnect", "code": 1006}
        return await self.websocket.receive()

    def send(self, event: Event) -> Awaitable[None]:
        """See ASGI."""
        # No coroutine here once it is open: one for each delivery would be a tenth of its cost.
        return self._decide(event) if self.websocket is None else self.websocket.send(event)

    async def answer(self, answer: Refusal) -> None:
        """Answer the HTTP request, once."""
        if not self.answered.is_set():
            await _answer(self._send, answer)
            self.answered.set()

    async def refuse(self) -> None:
        """Answer as ASGI has it for a WebSocket that nobody accepted."""
        with contextlib.suppress(OSError):
            await self.answer(Refusal(403, [], b"this WebSocket is refused"))

    async def _decide(self, event: Event) -> None:
        try:
            if event["type"] == "websocket.accept":
                self.websocket = await self._accept(self, list(event.get("headers") or ()))
            elif event["type"] == "websocket.close":
                await self.refuse()
        finally:
            self._decided.set()


async def _answer(send: Send, answer: Refusal) -> None:
    headers = list(answer.headers)
    if answer.status >= 200:
        headers += [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(answer.text))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.text})


def _ends(scope: Event) -> tuple[tuple[str, int], int]:
    """The client's address and the server's port."""
    client, server = scope["client"], scope["server"]
    return (client[0], int(client[1])), int(server[1])
