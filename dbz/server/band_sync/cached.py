"""What was taken over from Band: a document for each member and photo, and one for the club."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from dbz.server.band_sync.lists import LISTS, PHOTOS, BandList, Row
from dbz.server.core import Core
from dbz.server.values.clock import utc_now

_DUPLICATE = 11000
_NEWEST = 20


class BandCache:
    """Owner of the collection `band_cache`.

    A document replaces one of the same item unless that is newer by Band's own time, so that a page which is written
    twice, or late, changes nothing. What Band has removed stays as {key, removed} for as long as Band tells of it: a
    page that was read before the removal cannot bring it back.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def write(self, club_id: str, documents: Sequence[Row], number: int) -> None:
        """Store a page that the run `number` has read."""
        if not documents:
            return
        writes = [
            ReplaceOne(
                {"_id": document["_id"], "updated_at": {"$lte": document["updated_at"]}},
                {**document, "pass": number},
                upsert=True,
            )
            for document in documents
        ]
        try:
            with self._core.queries.timed("band_cache.write"):
                await self._collection(club_id).bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            # A newer one is there: the filter does not find it, and the upsert meets its id.
            if any(problem.get("code") != _DUPLICATE for problem in error.details.get("writeErrors", ())):
                raise

    async def sweep(self, club_id: str, number: int) -> int:
        """Remove all that no run since `number` has met, after a full pass; how many of them were there for readers."""
        left = {"club_id": club_id, "kind": {"$in": [each.kind for each in LISTS]}, "pass": {"$lt": number}}
        with self._core.queries.timed("band_cache.sweep"):
            gone: int = await self._collection(club_id).count_documents({**left, "removed": {"$ne": True}})
            await self._collection(club_id).delete_many(left)
        return gone

    async def count(self, club_id: str, listed: BandList) -> int:
        """How many items of a list there are."""
        with self._core.queries.timed("band_cache.count"):
            return await self._collection(club_id).count_documents(_there(club_id, listed))  # type: ignore[no-any-return]

    async def page(self, club_id: str, listed: BandList, skip: int, limit: int) -> list[Row]:
        """Items of a list, in the order of their keys."""
        with self._core.queries.timed("band_cache.page"):
            found = self._collection(club_id).find(
                _there(club_id, listed), {"_id": 0, "pass": 0, "club_id": 0, "kind": 0}
            )
            return await found.sort("key", 1).skip(skip).limit(limit).to_list()  # type: ignore[no-any-return]

    async def tell_club(self, club_id: str, band: Row) -> None:
        """Bring the club's own document up to date, with its newest photos, and what was cached of it away."""
        with self._core.queries.timed("band_cache.newest"):
            found = self._collection(club_id).find(_there(club_id, PHOTOS))
            newest = await found.sort([("created_at", -1), ("key", 1)]).limit(_NEWEST).to_list()
        photos = [{"id": row["key"], **{name: row.get(name) for name in ("url", "width", "height")}} for row in newest]
        told = {key: band[key] for key in ("name", "cover") if isinstance(band.get(key), str)}
        row = {**told, "club_id": club_id, "kind": "club", "photos": photos, "synced_at": utc_now()}
        with self._core.queries.timed("band_cache.club"):
            # Seeded rows hold a token for show; one of Band never gets here.
            changes: dict[str, Any] = {"$set": row, "$unset": {"access_token": ""}}
            await self._collection(club_id).update_one({"_id": club_id}, changes, upsert=True)
        await self._core.cache.invalidate(f"band:{club_id}")

    def _collection(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["band_cache"]


def _there(club_id: str, listed: BandList) -> dict[str, Any]:
    return {"club_id": club_id, "kind": listed.kind, "removed": {"$ne": True}}
