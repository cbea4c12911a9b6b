"""Counting everything again from the log of results: to compare, or to replace what was counted, while servers work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from pymongo.errors import BulkWriteError

from dbz.server.core import Core
from dbz.server.data.stores import Database
from dbz.server.game.results.counting import PROJECTIONS, Counts, Event, changes, folded
from dbz.server.game.results.log import ResultLog
from dbz.server.game.results.projections import DUPLICATE, REMEMBERED, SLOTS, SLOTS_KNOWN_S, ProjectionSlots
from dbz.server.sagas.catalogue import GAME_RESULT

PATIENCE_S = 15.0
"""For so long what differs is looked at again: a result may have been recorded and not counted yet."""
SETTLED_S = SLOTS_KNOWN_S + max(step.timeout_s for step in GAME_RESULT.steps) + 1.0
"""After so long every server writes both collections, and no step is under way that wrote only one."""
_LOOK_S = 0.5


@dataclass(frozen=True)
class RowDifference:
    """A row that is not what the log says."""

    collection: str
    row: str
    """Its id: `CLUB:PLAYER`, or `CLUB:MONTH:PLAYER`."""
    expected: Counts
    """What the log gives; empty when it has nothing about the row."""
    stored: Counts
    """What is there; empty without a row."""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass
class RebuildOutcome:
    """What was compared or built."""

    collections: list[str]
    """Those that were compared with the log: after a switch, those that are read now."""
    clubs: int = 0
    events: int = 0
    rows: int = 0
    differences: list[RowDifference] | None = None
    """None when something else ended it."""
    switched: bool = False
    """Whether what was built is read now."""
    seconds: float = 0.0


class Rebuild:
    """`say` hears what goes on."""

    def __init__(self, core: Core, say: Callable[[str], None]) -> None:
        self._core = core
        self._log = ResultLog(core)
        self._slots = ProjectionSlots(core)
        self._say = say

    async def check(self) -> RebuildOutcome:
        """Compare the rows that are read with the log; nothing is changed."""
        return await self._compared((await self._slots.read())[0])

    async def run(self) -> RebuildOutcome:
        """Build the rows anew and have them read, if they are what the log says; else everything stays as it was."""
        begun = time.monotonic()
        active = (await self._slots.read())[0]
        (built,) = (slot for slot in SLOTS if slot != active)
        await self._slots.build(built)
        try:
            self._say(f"waiting {SETTLED_S:.0f} s, until every server writes the new collections too")
            await asyncio.sleep(SETTLED_S)
            await self._clear(built)
            for club_id in await self._log.clubs():
                await self._build(club_id, built)
            outcome = await self._compared(built)
            if not outcome.differences:
                outcome.switched = await self._slots.switch(built)
        finally:
            await self._slots.leave(built)  # nothing, after the switch
        if outcome.switched:
            await asyncio.sleep(2 * SLOTS_KNOWN_S)  # some still read the old ones
            await self._clear(active)
        outcome.seconds = time.monotonic() - begun
        return outcome

    async def _build(self, club_id: str, slot: str) -> None:
        """Rows that servers have made meanwhile get what they lack."""
        events = await self._log.of_club(club_id)
        of_row: dict[str, dict[str, list[Event]]] = {projection: {} for projection in PROJECTIONS}
        for event in events:
            for projection, rows in changes(event).items():
                for row_id in rows:
                    of_row[projection].setdefault(row_id, []).append(event)
        for projection, rows in folded(events).items():
            table = self._core.router.club(club_id)[f"{projection}_{slot}"]
            fresh = [
                {"_id": row_id, **of, **counts, "applied": _remembered(of_row[projection][row_id])}
                for row_id, (of, counts) in rows.items()
            ]
            try:
                if fresh:
                    await table.insert_many(fresh, ordered=False)
            except BulkWriteError as error:
                problems = error.details["writeErrors"]
                if any(problem["code"] != DUPLICATE for problem in problems):
                    raise
                for problem in problems:
                    row_id = fresh[problem["index"]]["_id"]
                    await _complete(table, projection, row_id, of_row[projection][row_id])

    async def _compared(self, slot: str) -> RebuildOutcome:
        """What differs, after everything that is under way had its time."""
        begun = time.monotonic()
        outcome = RebuildOutcome([f"{projection}_{slot}" for projection in PROJECTIONS])
        clubs = sorted({*await self._log.clubs(), *await self._counted_clubs(slot)})
        doubtful: dict[str, list[RowDifference]] = {}
        for club_id in clubs:
            events, rows, found = await self._difference(club_id, slot)
            outcome.events += events
            outcome.rows += rows
            outcome.clubs += 1
            if found:
                doubtful[club_id] = found
        while doubtful and time.monotonic() - begun < PATIENCE_S:
            await asyncio.sleep(_LOOK_S)
            again = {club_id: (await self._difference(club_id, slot))[2] for club_id in doubtful}
            doubtful = {club_id: found for club_id, found in again.items() if found}
        outcome.differences = [difference for found in doubtful.values() for difference in found]
        outcome.seconds = time.monotonic() - begun
        return outcome

    async def _difference(self, club_id: str, slot: str) -> tuple[int, int, list[RowDifference]]:
        """How many events and rows a club has, and what differs."""
        events = await self._log.of_club(club_id)
        found, rows = [], 0
        for projection, expected in folded(events).items():
            collection = f"{projection}_{slot}"
            table = self._core.router.club(club_id)[collection]
            stored = {row["_id"]: row for row in await table.find({"club_id": club_id}).to_list()}
            rows += len(stored)
            for row_id in sorted({*expected, *stored}):
                wanted = expected[row_id][1] if row_id in expected else {}
                there = _counts(stored.get(row_id, {}))
                if any(wanted.get(name, 0) != there.get(name, 0) for name in {*wanted, *there}):
                    found.append(RowDifference(collection, row_id, wanted, there))
        return len(events), rows, found

    async def _clear(self, slot: str) -> None:
        for club_id in await self._counted_clubs(slot):
            for projection in PROJECTIONS:
                await self._core.router.club(club_id)[f"{projection}_{slot}"].delete_many({"club_id": club_id})

    async def _counted_clubs(self, slot: str) -> set[str]:
        """The clubs that have rows."""
        found: set[str] = set()
        for projection in PROJECTIONS:
            for ids in await self._core.router.on_every_shard(_clubs_in(f"{projection}_{slot}")):
                found.update(ids)
        return found


def _clubs_in(collection: str) -> Callable[[Database], Awaitable[list[str]]]:
    return lambda database: database[collection].distinct("club_id")


async def _complete(table: Any, projection: str, row_id: str, events: list[Event]) -> None:
    """Add to a row what it has not counted; again, when a server counts in between."""
    while True:
        row = await table.find_one({"_id": row_id}, {"applied": 1})
        missing = [event for event in events if event["_id"] not in row["applied"]]
        if not missing:
            return
        _, counts = folded(missing)[projection][row_id]
        applied = [*_remembered(missing), *row["applied"]][-REMEMBERED:]
        change = {"$inc": counts, "$set": {"applied": applied}}
        done = await table.update_one({"_id": row_id, "applied": row["applied"]}, change)
        if done.matched_count:
            return


def _remembered(events: list[Event]) -> list[str]:
    return [str(event["_id"]) for event in events][-REMEMBERED:]


def _counts(row: dict[str, Any]) -> Counts:
    return {name: value for name, value in row.items() if isinstance(value, int)}
