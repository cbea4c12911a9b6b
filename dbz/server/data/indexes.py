"""Indexes: created at start, and checked to be there."""

from __future__ import annotations

from collections.abc import Iterable

from dbz.server.data.stores import ClubRouter, Database
from dbz.server.seams import Indexes


async def ensure_indexes(router: ClubRouter, wanted: Iterable[Indexes]) -> None:
    """Create the indexes that are missing; pymongo's errors when the store cannot make one."""
    for indexes in wanted:
        for database in [router.directory] if indexes.shared else router.shards():
            await database[indexes.collection].create_indexes(list(indexes.models))


async def missing_indexes(router: ClubRouter, wanted: Iterable[Indexes]) -> list[str]:
    """`collection.index` of every wanted index that a database lacks."""
    missing: list[str] = []
    for indexes in wanted:
        for database in [router.directory] if indexes.shared else router.shards():
            missing += await _missing_in(database, indexes)
    return missing


async def _missing_in(database: Database, indexes: Indexes) -> list[str]:
    present = await database[indexes.collection].index_information()
    names = [str(model.document["name"]) for model in indexes.models]
    return [f"{indexes.collection}.{name}" for name in names if name not in present]
