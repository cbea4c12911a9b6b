"""What went out to which address: written before and after each attempt, so that none is made twice without need."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from dbz.server.core import Core
from dbz.server.seams import Indexes
from dbz.server.values.clock import utc_now

Claim = Literal["ours", "ended", "busy"]
"""Of an attempt: to be made, to be left because it is over, or under way elsewhere."""

_KEPT_S = 7 * 86_400

INDEXES = Indexes(
    "sends",
    (IndexModel([("at", ASCENDING)], expireAfterSeconds=_KEPT_S), IndexModel([("club_id", ASCENDING)])),
)


class SendLedger:
    """Owner of the collection `sends`: {_id, club_id, at, until, attempts, outcome}; kept for a week.

    An attempt is `until` somebody's, for longer than it can take. One that ended without an outcome, because its
    process was killed, is made again: nobody knows what became of it.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def claim(self, club_id: str, send_id: str, for_s: float) -> Claim:
        """Begin an attempt, unless it is over or under way."""
        now = utc_now()
        free = {"_id": send_id, "outcome": None, "until": {"$not": {"$gte": now}}}
        change = {
            "$set": {"until": now + timedelta(seconds=for_s), "at": now},
            "$inc": {"attempts": 1},
            "$setOnInsert": {"club_id": club_id},
        }
        with self._core.queries.timed("sends.claim"):
            try:
                await self._rows(club_id).find_one_and_update(
                    free, change, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:
                row = await self._rows(club_id).find_one({"_id": send_id}, {"outcome": 1})
                return "busy" if row is None or row.get("outcome") is None else "ended"
        return "ours"

    async def end(self, club_id: str, send_id: str, outcome: str) -> None:
        """It is over: sent, or never will be."""
        with self._core.queries.timed("sends.end"):
            await self._rows(club_id).update_one({"_id": send_id}, {"$set": {"outcome": outcome, "at": utc_now()}})

    async def let_go(self, club_id: str, send_id: str) -> None:
        """It was not sent, and may be tried again at any time."""
        with self._core.queries.timed("sends.let_go"):
            await self._rows(club_id).update_one({"_id": send_id, "outcome": None}, {"$unset": {"until": ""}})

    def _rows(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["sends"]
