"""The gateway's end of real time: it holds the sockets and hands their events to the services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from dbz.server.apart.paths import SOCKET_EVENTS
from dbz.server.http.errors import ApiError
from dbz.server.mesh import MeshClient, Signer
from dbz.server.mesh.client import Rest, ServiceAwayError
from dbz.server.realtime.connection import SocketConnection
from dbz.server.seams import EventHandler, MemberConnection


class EventHandover:
    """Makes handlers that let a service answer.

    The sockets end here and not at a service, because one socket carries the events of several: a member chats and
    counts points over the same connection.
    """

    def __init__(self, mesh: MeshClient, signer: Signer) -> None:
        self._mesh = mesh
        self._signer = signer

    def handlers(self, service: str, events: Mapping[str, EventHandler]) -> dict[str, EventHandler]:
        """A handler for each of the service's events."""
        return {event: self._handler(service, event) for event in events}

    def _handler(self, service: str, event: str) -> EventHandler:
        async def hand_over(connection: MemberConnection, data: Any) -> Any:
            socket = cast(SocketConnection, connection)
            told = {
                "identity": self._signer.identity(socket.identity),
                "sid": socket.sid,
                "rooms": sorted(socket.rooms),
                "data": data,
            }
            first, rest = await self._mesh.two_parts(service, f"{SOCKET_EVENTS}/{event}", told)
            for room in first["left"]:
                await socket.leave(room)
            for room in first["joined"]:
                await socket.join(room)
            if first.get("pending"):
                return _pending(service, rest)
            rest.close()
            return first["answer"]

        return hand_over


async def _pending(service: str, rest: Rest) -> dict[str, Any]:
    try:
        outcome = orjson.loads(b"".join([part async for part in rest]))
    except (OSError, ValueError):
        raise ServiceAwayError(502, "bad_gateway", f"{service} broke off before it had answered") from None
    if "error" in outcome:
        raise ApiError(503, outcome["error"]["code"], outcome["error"]["message"])
    answer: dict[str, Any] = outcome["answer"]
    return answer
