"""The log of results: events that are only ever added."""

from __future__ import annotations

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from dbz.server.core import Core
from dbz.server.game.results.counting import RECORDED, WITHDRAWN, Event
from dbz.server.seams import Indexes

INDEXES = (
    Indexes(
        "game_results",
        (
            IndexModel([("club_id", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("club_id", ASCENDING), ("game_id", ASCENDING)]),
        ),
    ),
)


class ResultLog:
    """Owner of the collection `game_results`. The id of an event is that of the saga which it comes from."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def add(self, event: Event) -> None:
        """Append an event; one that is there already stays as it is."""
        with self._core.queries.timed("results.add"):
            try:
                await self._rows(event["club_id"]).insert_one(event)
            except DuplicateKeyError:
                return

    async def withdraw(self, club_id: str, event_id: str) -> tuple[Event, Event] | None:
        """Append that a result does not count; the result and that, None when the result was never recorded."""
        with self._core.queries.timed("results.recorded"):
            recorded = await self._rows(club_id).find_one({"_id": event_id, "type": RECORDED})
        if recorded is None:
            return None
        withdrawn = {**recorded, "_id": f"{event_id}:withdrawn", "type": WITHDRAWN}
        await self.add(withdrawn)
        return recorded, withdrawn

    async def of_club(self, club_id: str) -> list[Event]:
        """All events of a club, oldest first."""
        with self._core.queries.timed("results.of_club"):
            return await self._rows(club_id).find({"club_id": club_id}).sort("_id", 1).to_list()  # type: ignore[no-any-return]

    async def clubs(self) -> list[str]:
        """The clubs that have results."""
        found = await self._core.router.on_every_shard(lambda database: database["game_results"].distinct("club_id"))
        return sorted({club_id for ids in found for club_id in ids})

    def _rows(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["game_results"]
