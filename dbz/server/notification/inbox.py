"""The notifications of each member."""

from __future__ import annotations

from typing import Any

from dbz.server.core import Core

Notification = dict[str, Any]


class Inbox:
    """Owner of the collection `notifications`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def add(self, club_id: str, user_id: str, notification: Notification) -> bool:
        """Store a notification; False when this id was stored before."""
        row = {"_id": notification["id"], "club_id": club_id, "user_id": user_id, "read": False, **notification}
        del row["id"]
        with self._core.queries.timed("notifications.add"):
            result = await self._rows(club_id).update_one({"_id": row["_id"]}, {"$setOnInsert": row}, upsert=True)
        return result.upserted_id is not None

    async def latest(self, club_id: str, user_id: str, limit: int) -> list[Notification]:
        """The newest notifications of a member, newest first."""
        with self._core.queries.timed("notifications.list"):
            found = self._rows(club_id).find({"user_id": user_id, "club_id": club_id})
            rows = await found.sort("_id", -1).limit(limit).to_list()
        return [{**event_of(row), "read": row["read"]} for row in rows]

    def _rows(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["notifications"]


def event_of(row: Notification) -> Notification:
    """The payload of `notification:new`."""
    return {
        "id": row.get("_id") or row["id"],
        "type": row["type"],
        "title": row["title"],
        "body": row["body"],
        "timestamp": row["timestamp"],
    }
