"""A service's end of the sockets that the gateway holds: it takes their events, and says what becomes of them.

An answer has two parts, each a line of JSON: at once which rooms were entered and left and the answer, or `pending`;
then, when the service has it, the answer that was pending.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any

import orjson
from pydantic import ValidationError
from pymongo.errors import PyMongoError

from dbz.server.apart.internal import InternalRoutes
from dbz.server.apart.paths import SOCKET_EVENTS
from dbz.server.http import ApiError, Body, Call, Route, Stream
from dbz.server.mesh import Signer
from dbz.server.realtime.refusals import refusal_of
from dbz.server.seams import Emitter, EventHandler
from dbz.server.values.identity import Identity

_log = logging.getLogger(__name__)


class SocketEventBody(Body):
    """An event of a socket."""

    identity: str
    """Signed, see `Signer`."""
    sid: str
    rooms: list[str]
    """Where the socket is."""
    data: Any = None


class RemoteConnection:
    """See `MemberConnection`: a socket that the gateway holds, for the time of one event."""

    def __init__(self, sid: str, identity: Identity, rooms: list[str], emitter: Emitter) -> None:
        self.sid = sid
        self.identity = identity
        self.joined: list[str] = []
        self.left: list[str] = []
        self._rooms = set(rooms)
        self._emitter = emitter

    async def join(self, room: str) -> None:
        """Enter a room; the gateway does it when the handler has ended."""
        self._rooms.add(room)
        self.joined.append(room)

    async def leave(self, room: str) -> None:
        """Leave a room; the gateway does it when the handler has ended."""
        self._rooms.discard(room)
        self.left.append(room)

    def is_in(self, room: str) -> bool:
        """Whether the socket is in `room`."""
        return room in self._rooms

    async def send(self, event: str, data: Any) -> None:
        """Send an event to this socket only: a room that it is always in has its id."""
        self._emitter.emit(event, data, self.sid)


class SocketEvents:
    """Answers the events of a service."""

    def __init__(self, events: Mapping[str, EventHandler], emitter: Emitter, signer: Signer) -> None:
        self._events = events
        self._emitter = emitter
        self._signer = signer

    def routes(self, internal: InternalRoutes) -> list[Route]:
        """One route for each event."""
        return [
            Route(
                "POST",
                f"{SOCKET_EVENTS}/{event}",
                internal.guarded(self._handler(handler, event)),
                "Internal",
                body=SocketEventBody,
                public=True,
            )
            for event, handler in self._events.items()
        ]

    def _handler(self, handler: EventHandler, event: str) -> Any:
        async def handle(call: Call) -> Stream:
            body: SocketEventBody = await call.body()
            identity = self._signer.read_identity(body.identity.encode())
            connection = RemoteConnection(body.sid, identity, body.rooms, self._emitter)
            try:
                answer = await handler(connection, body.data)
            except ValidationError as error:
                raise refusal_of(error, event) from None
            return Stream(_parts(connection, answer, event), b"application/x-ndjson")

        return handle


async def _parts(connection: RemoteConnection, answer: Any, event: str) -> AsyncIterator[bytes]:
    moves = {"joined": connection.joined, "left": connection.left}
    if not inspect.isawaitable(answer):
        yield orjson.dumps({**moves, "answer": answer}) + b"\n"
        return
    yield orjson.dumps({**moves, "pending": True}) + b"\n"
    yield orjson.dumps(await _outcome(answer, event)) + b"\n"


async def _outcome(answer: Awaitable[Any], event: str) -> dict[str, Any]:
    """What became of a pending answer; the answer has begun, so a failure can only be told in it."""
    try:
        return {"answer": await answer}
    except ValidationError as error:
        return refusal_of(error, event).body()
    except ApiError as error:
        return error.body()
    except (PyMongoError, OSError, TimeoutError) as error:
        _log.error("a store failed: %s", error, extra={"event": event})
        return ApiError(503, "store_unavailable", "a data store does not answer").body()
    except Exception:
        _log.exception("event failed", extra={"event": event})
        return ApiError(500, "internal", "the server failed").body()
