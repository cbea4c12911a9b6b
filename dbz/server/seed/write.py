"""Writing the demo data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from dbz.server.auth.service import INDEXES as AUTH
from dbz.server.band_sync.service import CACHE_INDEXES
from dbz.server.chat.service import INDEXES as CHAT
from dbz.server.content.service import INDEXES as CONTENT
from dbz.server.events.outbox import INDEXES as EVENTS
from dbz.server.game.service import INDEXES as GAME
from dbz.server.media import INDEXES as MEDIA
from dbz.server.notification.service import INDEXES as NOTIFICATION
from dbz.server.sagas.store import INDEXES as SAGAS
from dbz.server.seed.data import club_documents

_MARK = "demo"


_INDEXES = (*AUTH, CACHE_INDEXES, *CHAT, *CONTENT, *EVENTS, *GAME, *MEDIA, *NOTIFICATION, *SAGAS)
Place = Callable[[str, str], AsyncDatabase[dict[str, Any]]]
"""The database for a collection of a club: (club id, collection)."""


async def seed(database: AsyncDatabase[dict[str, Any]], *, seed: int, clubs: int, place: Place | None = None) -> str:
    """Write the data of `clubs` clubs and all indexes; nothing when the same data is there already.

    `database` is the directory; everything is in it, unless `place` says where a club's collections are.
    Returns a sentence that says what was done. Other demo data is replaced; data of nobody's making is kept.
    """
    mark_when_done = {"seed": seed, "clubs": clubs, "version": 4, "complete": True}
    mark = await database["seeds"].find_one({"_id": _MARK})
    if mark is not None and {key: mark.get(key) for key in mark_when_done} == mark_when_done:
        return f"already seeded: {clubs} clubs, seed {seed}"
    # An interrupted seeding leaves its mark behind: the next one then knows that there may be rows to replace.
    await database["seeds"].replace_one({"_id": _MARK}, {**mark_when_done, "complete": False}, upsert=True)
    written = 0
    places = {indexes.collection: [database] for indexes in _INDEXES}
    for club in range(clubs):
        of_club = club_documents(seed, club)
        club_id = of_club["clubs"][0]["_id"]
        for collection, documents in of_club.items():
            where = place(club_id, collection) if place else database
            if where not in places.setdefault(collection, []):
                places[collection].append(where)
            if mark is not None:
                await where[collection].delete_many({"_id": {"$in": [row["_id"] for row in documents]}})
            await where[collection].insert_many(documents)
            written += len(documents)
    for indexes in _INDEXES:
        for where in places[indexes.collection]:
            await where[indexes.collection].create_indexes(list(indexes.models))
    await database["seeds"].replace_one({"_id": _MARK}, mark_when_done)
    return f"seeded {clubs} clubs, {written} documents, seed {seed}"
