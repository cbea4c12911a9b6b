"""Routes of notification."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from dbz.server.clock import now_ms
from dbz.server.core import Core
from dbz.server.http import Body, Call, Fields, Reply, Route
from dbz.server.http.errors import not_found
from dbz.server.ids import new_id
from dbz.server.notification.inbox import Inbox, event_of
from dbz.server.schemas import NOTIFICATION, STRING, items, record
from dbz.server.seams import Emitter, EventHandler, Indexes, Members


class NewNotification(Body):
    """Body of a notification to another member of the club."""

    user_id: Annotated[str, Field(min_length=1, max_length=100)]
    type: Annotated[str, Field(min_length=1, max_length=50)]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    body: Annotated[str, Field(max_length=2000)] = ""


class InboxQuery(Fields):
    """How many of the newest notifications."""

    limit: int = Field(default=20, ge=1, le=100)


INDEXES = (Indexes("notifications", (IndexModel([("user_id", ASCENDING), ("_id", DESCENDING)]),)),)


class NotificationService:
    """Takes notifications, stores them, and sends them to their receivers' sockets."""

    name = "notification"
    indexes = INDEXES

    def __init__(self, core: Core, members: Members, emitter: Emitter) -> None:
        self._members = members
        self._emitter = emitter
        self._inbox = Inbox(core)
        self.events: dict[str, EventHandler] = {}
        path = "/api/notifications"
        mine = {200: items(NOTIFICATION)}
        self.routes = (
            Route("GET", path, self.list_mine, "Mine", query=InboxQuery, answers=mine, cacheable=False),
            Route("POST", path, self.create, "Notify", body=NewNotification, answers={202: record(id=STRING)}),
        )

    async def start(self) -> None:
        """Nothing runs in the background."""

    async def stop(self) -> None:
        """Nothing runs in the background."""

    async def list_mine(self, call: Call) -> Reply:
        """GET /api/notifications."""
        reader = call.reader
        return Reply({"items": await self._inbox.latest(reader.club_id, reader.user_id, call.query.limit)})

    async def create(self, call: Call) -> Reply:
        """POST /api/notifications."""
        body: NewNotification = await call.body()
        if await self._members.club_of(body.user_id) != call.reader.club_id:
            raise not_found("member")
        notification = {
            "id": new_id(),
            "type": body.type,
            "title": body.title,
            "body": body.body,
            "timestamp": now_ms(),
        }
        if await self._inbox.add(call.reader.club_id, body.user_id, notification):
            self._emitter.emit("notification:new", event_of(notification), f"user:{body.user_id}")
        return Reply({"id": notification["id"]}, 202)

    async def happened(self, kind: str, club_id: str, data: dict[str, Any]) -> None:
        """See `Events`."""
