"""Which posts a reader has read; never part of anything that readers share."""

from __future__ import annotations

from typing import Any

from dbz.cache.glob import escape
from dbz.server.core import Core


class ReadMarks:
    """Owner of the collection `read_marks`: one document a reader."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def of(self, club_id: str, user_id: str) -> list[str]:
        """The ids of the posts that the reader has read."""
        cached: dict[str, list[str]] = await self._core.cache.get(
            f"read_marks:{club_id}:{user_id}",
            lambda: self._load(club_id, user_id),
            self._core.settings.cache.posts_ttl_s,
        )
        return cached["posts"]

    async def mark(self, club_id: str, user_id: str, post_id: str) -> None:
        """Remember that the reader has read the post; writes only the first time."""
        if post_id in await self.of(club_id, user_id):
            return
        with self._core.queries.timed("read_marks.add"):
            await self._collection(club_id).update_one(
                {"_id": user_id}, {"$addToSet": {"posts": post_id}, "$set": {"club_id": club_id}}, upsert=True
            )
        await self._core.cache.invalidate(f"read_marks:{escape(club_id)}:{escape(user_id)}")

    async def _load(self, club_id: str, user_id: str) -> dict[str, list[str]]:
        with self._core.queries.timed("read_marks.of"):
            row = await self._collection(club_id).find_one({"_id": user_id}, {"posts": 1})
        return {"posts": row["posts"] if row else []}

    def _collection(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["read_marks"]
