"""What waits for the end of quiet hours: all of one member's night together, so that the morning brings one push."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from dbz.server.core import Core
from dbz.server.data.due import DueRows
from dbz.server.data.stores import Database
from dbz.server.seams import Indexes
from dbz.server.values.clock import utc_now

_MOST_ITEMS = 100

_REMEMBERED_S = 86_400

INDEXES = Indexes(
    "held_notifications",
    (
        IndexModel([("due_at", ASCENDING)]),
        IndexModel([("club_id", ASCENDING)]),
        IndexModel([("done_at", ASCENDING)], expireAfterSeconds=_REMEMBERED_S),
    ),
)


@dataclass(frozen=True)
class HeldBundle:
    """What is due for one member on one way. Nothing is added to it any more."""

    id: str
    club_id: str
    user_id: str
    channel: str
    due_at: datetime
    items: list[dict[str, Any]]
    """The notifications, oldest first; of very many the newest."""
    count: int
    """How many there were."""


class HeldNotifications:
    """Owner of the collection `held_notifications`: a document for each member, way and end of quiet hours."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._due = DueRows(core, "held_notifications")

    async def add(self, club_id: str, user_id: str, channel: str, due_at: datetime, item: dict[str, Any]) -> bool:
        """Keep an item, {id, …}, until then, once however often it is added; False when its time has come meanwhile."""
        bundle_id = f"{user_id}:{channel}:{int(due_at.timestamp())}"
        fresh = {"club_id": club_id, "user_id": user_id, "channel": channel, "due_at": due_at, "end": due_at}
        open_one = {"_id": bundle_id, "holder": None, "items.id": {"$ne": item["id"]}}
        change = {
            "$push": {"items": {"$each": [item], "$slice": -_MOST_ITEMS}},
            "$inc": {"count": 1},
            "$setOnInsert": fresh,
        }
        with self._core.queries.timed("held.add"):
            while True:
                try:
                    await self._rows(club_id).update_one(open_one, change, upsert=True)
                except DuplicateKeyError:
                    # It is there: with this item, or taken, or another process has begun it this very moment.
                    kept = await self._rows(club_id).find_one({"_id": bundle_id}, {"holder": 1, "items.id": 1})
                    if kept is None:
                        return False
                    if any(each["id"] == item["id"] for each in kept["items"]):
                        return True
                    if kept.get("holder"):
                        return False
                else:
                    return True

    async def take_due(self, lease_s: float) -> list[HeldBundle]:
        """Take what is due and nobody works on, or whose holder was not heard of for too long."""
        return [_bundle(row) for row in await self._due.take(lease_s)]

    async def remove(self, bundle: HeldBundle) -> None:
        """It is on its way. What was in it is remembered for a day: who adds that again comes too late."""
        ids = [{"id": item["id"]} for item in bundle.items]
        change = {"$set": {"done_at": utc_now(), "items": ids, "count": 0}, "$unset": {"due_at": ""}}
        with self._core.queries.timed("held.remove"):
            await self._rows(bundle.club_id).update_one({"_id": bundle.id, "holder": self._due.holder}, change)

    async def waiting(self) -> dict[str, int]:
        """{channel: how many notifications wait}."""
        groups = [{"$group": {"_id": "$channel", "count": {"$sum": "$count"}}}]

        async def count(database: Database) -> list[dict[str, Any]]:
            with self._core.queries.timed("held.waiting"):
                return await (await database["held_notifications"].aggregate(groups)).to_list()

        totals: dict[str, int] = {}
        for rows in await self._core.router.on_every_shard(count):
            for row in rows:
                totals[row["_id"]] = totals.get(row["_id"], 0) + row["count"]
        return totals

    def _rows(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["held_notifications"]


def _bundle(row: dict[str, Any]) -> HeldBundle:
    whose = (row["club_id"], row["user_id"], row["channel"], row["end"])
    return HeldBundle(row["_id"], *whose, row["items"], row["count"])
