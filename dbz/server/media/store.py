"""Masters in the document store: one document each, with its club, so that they move between shards like all else.

GridFS would spread a picture over two collections whose chunks name no club. Nothing here needs it: a master is bounded
far below what a document may hold.
"""

from __future__ import annotations

from typing import Any

from bson import Binary

from dbz.server.core import Core
from dbz.server.media.imaging import Master
from dbz.server.values.clock import utc_now
from dbz.server.values.ids import new_id

COLLECTION = "media"


class MediaStore:
    """Owner of the collection `media`. The id of a picture begins with its club, which leads to its shard."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def save(self, club_id: str, user_id: str, master: Master) -> str:
        """Store a picture; returns its id."""
        row = media_document(f"{club_id}.{new_id()}", club_id, user_id, master)
        with self._core.queries.timed("media.create"):
            await self._core.router.club(club_id)[COLLECTION].insert_one({**row, "created_at": utc_now()})
        return str(row["_id"])

    async def body(self, media_id: str) -> bytes | None:
        """The master's file, None when there is no such picture."""
        club_id = club_of(media_id)
        with self._core.queries.timed("media.body"):
            row = await self._core.router.club(club_id)[COLLECTION].find_one({"_id": media_id}, {"body": 1})
        return bytes(row["body"]) if row else None

    async def has(self, club_id: str, media_id: str) -> bool:
        """Whether the club has this picture."""
        if club_of(media_id) != club_id:
            return False
        with self._core.queries.timed("media.has"):
            row = await self._core.router.club(club_id)[COLLECTION].find_one({"_id": media_id}, {"_id": 1})
        return row is not None


def club_of(media_id: str) -> str:
    """The club that a picture belongs to; empty for the demo pictures, which belong to none."""
    return media_id.rpartition(".")[0]


def media_document(media_id: str, club_id: str, user_id: str, master: Master) -> dict[str, Any]:
    """The document of a picture, without the moment at which it was made."""
    return {
        "_id": media_id,
        "club_id": club_id,
        "owner_id": user_id,
        "type": master.media_type,
        "width": master.width_px,
        "height": master.height_px,
        "body": Binary(master.body),
    }
