"""Routes and real-time events of chat."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import Field, field_validator
from pymongo import ASCENDING, IndexModel

from dbz.server.chat.batches import RoomBatches, policy_of
from dbz.server.chat.history import ChatHistory, stored_form
from dbz.server.chat.rooms import Rooms
from dbz.server.core import Core
from dbz.server.http import ApiError, Body, Call, Fields, Reply, Route
from dbz.server.http.errors import forbidden
from dbz.server.http.pages import Limit
from dbz.server.http.schemas import MESSAGE, ROOM, items
from dbz.server.seams import Emitter, EventHandler, Indexes, MemberConnection
from dbz.server.values.clock import now_ms
from dbz.server.values.ids import new_id

RoomId = Annotated[str, Field(min_length=1, max_length=120)]
_MAX_MISSED = 500
_CONTENT_LIMIT = 100_000


class RoomRef(Body):
    """Payload of room:leave and typing."""

    roomId: RoomId  # noqa: N815 the wire name


class JoinRoom(RoomRef):
    """Payload of room:join; with `since` the answer brings the messages after that id."""

    since: Annotated[str, Field(max_length=64)] | None = None


class NewMessage(RoomRef):
    """Payload of message:send."""

    tempId: Annotated[str, Field(max_length=100)] | None = None  # noqa: N815 the wire name
    content: Annotated[str, Field(min_length=1, max_length=_CONTENT_LIMIT)]


class HistoryQuery(Fields):
    """`since` is a message id: what came after it. Without it, the latest messages."""

    since: str | None = Field(default=None, max_length=64)
    limit: Limit = 50

    @field_validator("since")
    @classmethod
    def _empty_is_none(cls, value: str | None) -> str | None:
        return value or None


INDEXES = (
    Indexes(
        "messages", (IndexModel([("room_id", ASCENDING), ("_id", ASCENDING)]), IndexModel([("club_id", ASCENDING)]))
    ),
    Indexes("chat_rooms", (IndexModel([("club_id", ASCENDING)]),)),
)


class ChatService:
    """Rooms, and the messages in them."""

    name = "chat"
    indexes = INDEXES

    def __init__(self, core: Core, emitter: Emitter) -> None:
        settings = core.settings.realtime
        self._settings = settings
        self._drain_s = core.settings.http.drain_s
        self._emitter = emitter
        self._rooms = Rooms(core)
        self._history = ChatHistory(core, settings.history_window_ms / 1000, settings.history_queue)
        self._batches = RoomBatches(policy_of(settings), settings.room_queue, self._deliver)
        self.events: dict[str, EventHandler] = {
            "room:join": self.join,
            "room:leave": self.leave,
            "message:send": self.send,
            "typing": self.typing,
        }
        self.routes = (
            Route("GET", "/api/rooms", self.list_rooms, "My rooms", query=Fields, answers={200: items(ROOM)}),
            Route(
                "GET",
                "/api/rooms/{room_id}/messages",
                self.messages,
                "Messages of a room",
                query=HistoryQuery,
                answers={200: items(MESSAGE)},
                cacheable=False,
            ),
        )

    async def start(self) -> None:
        """Begin to store messages."""
        self._history.start()

    async def stop(self) -> None:
        """Deliver and store what was accepted."""
        self._batches.drain()
        await self._history.stop(self._drain_s)

    async def list_rooms(self, call: Call) -> Reply:
        """GET /api/rooms."""
        return Reply({"items": await self._rooms.of(call.reader)})

    async def messages(self, call: Call) -> Reply:
        """GET /api/rooms/{room_id}/messages."""
        room = await self._rooms.enter(call.reader, call.path["room_id"])
        club_id, limit = call.reader.club_id, call.query.limit
        if call.query.since is None:
            return Reply({"items": await self._history.latest(club_id, room["id"], limit), "has_more": False})
        rows = await self._history.since(club_id, room["id"], call.query.since, limit + 1)
        return Reply({"items": rows[:limit], "has_more": len(rows) > limit})

    async def join(self, connection: MemberConnection, data: Any) -> Any:
        """room:join."""
        payload = JoinRoom.model_validate(data)
        room = await self._rooms.enter(connection.identity, payload.roomId)
        await connection.join(room["id"])
        if payload.since is None:
            return {"roomId": room["id"]}
        return self._missed(connection.identity.club_id, room["id"], payload.since)

    async def leave(self, connection: MemberConnection, data: Any) -> dict[str, Any]:
        """room:leave."""
        room_id = RoomRef.model_validate(data).roomId
        await connection.leave(room_id)
        return {"roomId": room_id}

    async def send(self, connection: MemberConnection, data: Any) -> Any:
        """message:send: delivered at once, `message:sent` at once, and the ack when the message is stored."""
        payload = NewMessage.model_validate(data)
        self._check(connection, payload)
        message = {
            "id": new_id(),
            "roomId": payload.roomId,
            "tempId": payload.tempId,
            "content": payload.content,
            "senderId": connection.identity.user_id,
            "timestamp": now_ms(),
        }
        if self._history.is_full or not self._batches.add(payload.roomId, message):
            raise ApiError(503, "room_busy", "the room takes no more messages now; try again shortly")
        stored = self._history.add(connection.identity.club_id, stored_form(connection.identity.club_id, message))
        await connection.send("message:sent", {"tempId": payload.tempId, "timestamp": message["timestamp"]})

        async def answer() -> dict[str, Any]:
            await stored
            return {"id": message["id"], "tempId": payload.tempId, "timestamp": message["timestamp"]}

        return answer()

    async def typing(self, connection: MemberConnection, data: Any) -> dict[str, Any]:
        """typing."""
        room_id = RoomRef.model_validate(data).roomId
        self._must_be_in(connection, room_id)
        self._emitter.emit("typing", {"roomId": room_id, "userId": connection.identity.user_id}, room_id)
        return {}

    def _check(self, connection: MemberConnection, payload: NewMessage) -> None:
        self._must_be_in(connection, payload.roomId)
        limit = self._settings.max_content_chars
        if len(payload.content) > limit:
            raise ApiError(422, "too_long", f"a message has at most {limit} characters")

    def _must_be_in(self, connection: MemberConnection, room_id: str) -> None:
        # Only rooms that admitted this member were ever joined; game rooms have ids of their own and are not for chat.
        if room_id.startswith(("game:", "user:")) or not connection.is_in(room_id):
            raise forbidden("join the room first")

    async def _missed(self, club_id: str, room_id: str, since: str) -> dict[str, Any]:
        # What was accepted before the join may still be on its way to the store, here or in another process.
        await asyncio.sleep(2 * self._settings.history_window_ms / 1000)
        rows = await self._history.since(club_id, room_id, since, _MAX_MISSED + 1)
        return {"roomId": room_id, "missed": rows[:_MAX_MISSED], "has_more": len(rows) > _MAX_MISSED}

    def _deliver(self, room_id: str, messages: list[dict[str, Any]]) -> None:
        batch = {"messages": messages, "timestamp": now_ms()}
        self._emitter.emit("message:batch", batch, room_id)
