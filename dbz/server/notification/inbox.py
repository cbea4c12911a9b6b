"""The notifications of each member."""

from __future__ import annotations

from typing import Any

from dbz.server.core import Core

Notification = dict[str, Any]

_FIELDS = ("type", "title", "body", "timestamp")


class Inbox:
    """Owner of the collection `notifications`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def add(self, club_id: str, user_id: str, event: Notification, *, listed: bool = True) -> Notification | None:
        """Store a notification, `listed` or not, and return it as it was stored first; None once it was delivered."""
        fields = {key: event[key] for key in _FIELDS}
        row = {"club_id": club_id, "user_id": user_id, "read": False, "delivered": False, **fields}
        if not listed:
            row["unlisted"] = True
        rows = self._rows(club_id)
        with self._core.queries.timed("notifications.add"):
            result = await rows.update_one({"_id": event["id"]}, {"$setOnInsert": row}, upsert=True)
            if result.upserted_id is not None:
                return event
            stored = await rows.find_one({"_id": event["id"]})
        if stored is None or stored["delivered"]:
            return None
        return {"id": stored["_id"], **{key: stored[key] for key in _FIELDS}}

    async def delivered_of(self, club_id: str, notification_ids: list[str]) -> set[str]:
        """Those of some notifications that went out."""
        with self._core.queries.timed("notifications.delivered_of"):
            found = self._rows(club_id).find({"_id": {"$in": notification_ids}, "delivered": True}, {"_id": 1})
            return {row["_id"] for row in await found.to_list()}

    async def delivered(self, club_id: str, notification_id: str) -> None:
        """Remember that a notification went out."""
        with self._core.queries.timed("notifications.delivered"):
            await self._rows(club_id).update_one({"_id": notification_id}, {"$set": {"delivered": True}})

    async def latest(self, club_id: str, user_id: str, limit: int) -> list[Notification]:
        """The newest notifications of a member, newest first."""
        with self._core.queries.timed("notifications.list"):
            cursor = self._rows(club_id).find({"user_id": user_id, "club_id": club_id, "unlisted": None})
            rows = await cursor.sort("timestamp", -1).limit(limit).to_list()
        return [{"id": row["_id"], **{key: row[key] for key in (*_FIELDS, "read")}} for row in rows]

    def _rows(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["notifications"]
