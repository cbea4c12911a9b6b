"""Chat rooms and who may enter them."""

from __future__ import annotations

from typing import Any

from dbz.server.core import Core
from dbz.server.http.errors import not_found
from dbz.server.values.clock import iso
from dbz.server.values.identity import Identity

_MAX_ROOMS = 200


class Rooms:
    """Owner of the collection `chat_rooms`. A room without a list of members is open to its whole club."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._ttl_s = core.settings.cache.default_ttl_s

    async def of(self, identity: Identity) -> list[dict[str, Any]]:
        """The rooms that the reader may enter."""
        club_id = identity.club_id
        rooms = await self._core.cache.get(f"query:rooms:{club_id}", lambda: self._load_all(club_id), self._ttl_s)
        return [_shown(room) for room in rooms if _admits(room, identity)]

    async def enter(self, identity: Identity, room_id: str) -> dict[str, Any]:
        """The room, if the reader may enter it; refuses with 404, also for rooms of other clubs."""
        club_id = identity.club_id
        room = await self._core.cache.get(
            f"chat_room:{club_id}:{room_id}", lambda: self._load(club_id, room_id), self._ttl_s
        )
        if room is None or not _admits(room, identity):
            raise not_found("room")
        return _shown(room)

    async def _load_all(self, club_id: str) -> list[dict[str, Any]]:
        with self._core.queries.timed("rooms.list"):
            rows = await self._rooms(club_id).find({"club_id": club_id}).sort("_id", 1).limit(_MAX_ROOMS).to_list()
        return [{**row, "created_at": iso(row["created_at"])} for row in rows]

    async def _load(self, club_id: str, room_id: str) -> dict[str, Any] | None:
        with self._core.queries.timed("rooms.by_id"):
            row = await self._rooms(club_id).find_one({"_id": room_id, "club_id": club_id})
        return {**row, "created_at": iso(row["created_at"])} if row else None

    def _rooms(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["chat_rooms"]


def _admits(room: dict[str, Any], identity: Identity) -> bool:
    if room["club_id"] != identity.club_id:
        return False
    return room["members"] is None or identity.user_id in room["members"]


def _shown(room: dict[str, Any]) -> dict[str, Any]:
    return {"id": room["_id"], "club_id": room["club_id"], "name": room["name"], "created_at": room["created_at"]}
