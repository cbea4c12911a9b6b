"""What is counted from results, kept up to date: each event counts once in each row, however often it comes.

A projection has two collections, of which one is read. A rebuild fills the other one, and then the document that says
which is read changes: that is the switch. Meanwhile every server writes both.
"""

from __future__ import annotations

import time
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.errors import BulkWriteError

from dbz.server.core import Core
from dbz.server.game.results.counting import RANKINGS, STATISTICS, Event, changes
from dbz.server.seams import Indexes

SLOTS = ("a", "b")
SLOTS_KNOWN_S = 1.0
"""For how long a process goes by what it knows of which collections are in use."""
REMEMBERED = 64
"""Events that a row remembers to have counted: one comes again within minutes, not after so many games of a player."""
DUPLICATE = 11000
"""The error of a store that has a document of this id."""
_ID = "results"

INDEXES = tuple(
    Indexes(f"{projection}_{slot}", (IndexModel(keys),))
    for slot in SLOTS
    for projection, keys in (
        (STATISTICS, [("club_id", ASCENDING), ("user_id", ASCENDING)]),
        (
            RANKINGS,
            [("club_id", ASCENDING), ("month", ASCENDING), ("points", DESCENDING), ("balance", DESCENDING)],
        ),
    )
)


class ProjectionSlots:
    """Which collections are in use: `projections` in the directory, {_id, active, building}."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: tuple[str, ...] = ()
        self._known_at = float("-inf")

    async def written(self) -> tuple[str, ...]:
        """The slots to write to, first the one that is read."""
        if time.monotonic() - self._known_at > SLOTS_KNOWN_S:
            asked_at = time.monotonic()
            self._known, self._known_at = await self.read(), asked_at
        return self._known

    async def read(self) -> tuple[str, ...]:
        """The same, as the store has it now."""
        with self._core.queries.timed("projections.slots"):
            row = await self._rows.find_one({"_id": _ID}) or {}
        building = row.get("building")
        return (row.get("active", SLOTS[0]), *([building] if building else []))

    async def build(self, slot: str) -> None:
        """Have every server write to `slot` too."""
        await self._rows.update_one({"_id": _ID}, {"$set": {"building": slot}}, upsert=True)

    async def switch(self, slot: str) -> bool:
        """Read `slot` from now on, and write only to it; False when it is not being built any more."""
        changed = await self._rows.update_one(
            {"_id": _ID, "building": slot}, {"$set": {"active": slot, "building": None}}
        )
        return bool(changed.matched_count)

    async def leave(self, slot: str) -> None:
        """Give up building `slot`."""
        await self._rows.update_one({"_id": _ID, "building": slot}, {"$set": {"building": None}})

    @property
    def _rows(self) -> Any:
        return self._core.router.directory["projections"]


class Projections:
    """Owner of the collections of player statistics and club rankings."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.slots = ProjectionSlots(core)

    async def apply(self, event: Event) -> None:
        """Count an event in all rows that it concerns, once in each."""
        for slot in await self.slots.written():
            for projection, rows in changes(event).items():
                await self._count(event, f"{projection}_{slot}", rows)

    async def statistics(self, club_id: str, user_id: str) -> dict[str, Any] | None:
        """The counts of a player, None before the first game."""
        rows = await self._active(club_id, STATISTICS)
        with self._core.queries.timed("statistics.of_player"):
            return await rows.find_one({"_id": f"{club_id}:{user_id}"})  # type: ignore[no-any-return]

    async def ranking(self, club_id: str, month: str, limit: int) -> list[dict[str, Any]]:
        """The first players of a month, by points and then by the balance of what they scored."""
        rows = await self._active(club_id, RANKINGS)
        with self._core.queries.timed("rankings.of_month"):
            cursor = rows.find({"club_id": club_id, "month": month}).sort([("points", -1), ("balance", -1)])
            return await cursor.limit(limit).to_list()  # type: ignore[no-any-return]

    async def _active(self, club_id: str, projection: str) -> Any:
        slot = (await self.slots.written())[0]
        return self._core.router.club(club_id)[f"{projection}_{slot}"]

    async def _count(self, event: Event, collection: str, rows: dict[str, Any]) -> None:
        """First as if each row had to be made. One that is there and cannot be matched has counted the event, or was
        made this moment by somebody else: what matches then without being made has not."""
        table = self._core.router.club(event["club_id"])[collection]
        updates = {row_id: _update(event["_id"], of, counts) for row_id, (of, counts) in rows.items()}
        ids = list(updates)
        made = [UpdateOne(_uncounted(row_id, event), updates[row_id], upsert=True) for row_id in ids]
        with self._core.queries.timed("projections.count"):
            try:
                await table.bulk_write(made, ordered=False)
            except BulkWriteError as error:
                problems = error.details["writeErrors"]
                if any(problem["code"] != DUPLICATE for problem in problems):
                    raise
                there = [ids[problem["index"]] for problem in problems]
                matched = [UpdateOne(_uncounted(row_id, event), updates[row_id]) for row_id in there]
                await table.bulk_write(matched, ordered=False)


def _uncounted(row_id: str, event: Event) -> dict[str, Any]:
    return {"_id": row_id, "applied": {"$ne": event["_id"]}}


def _update(event_id: str, of: dict[str, Any], counts: dict[str, int]) -> dict[str, Any]:
    remembered = {"applied": {"$each": [event_id], "$slice": -REMEMBERED}}
    return {"$setOnInsert": of, "$inc": counts, "$push": remembered}
