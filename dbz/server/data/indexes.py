"""Indexes: created at start, and checked to be there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from dbz.server.data.stores import ClubRouter, Database
from dbz.server.seams import Indexes

Result = TypeVar("Result")


async def ensure_indexes(router: ClubRouter, wanted: Iterable[Indexes]) -> None:
    """Create the indexes that are missing; pymongo's errors when the store cannot make one."""
    for indexes in wanted:
        await _everywhere(router, indexes, _create)


async def missing_indexes(router: ClubRouter, wanted: Iterable[Indexes]) -> list[str]:
    """`collection.index` of every wanted index that a database lacks."""
    missing: list[str] = []
    for indexes in wanted:
        for lacks in await _everywhere(router, indexes, _missing_in):
            missing += lacks
    return missing


async def _everywhere(
    router: ClubRouter, indexes: Indexes, work: Callable[[Database, Indexes], Awaitable[Result]]
) -> list[Result]:
    if indexes.shared:
        return [await work(router.directory, indexes)]
    return await router.on_every_shard(lambda database: work(database, indexes))


async def _create(database: Database, indexes: Indexes) -> None:
    await database[indexes.collection].create_indexes(list(indexes.models))


async def _missing_in(database: Database, indexes: Indexes) -> list[str]:
    present = await database[indexes.collection].index_information()
    names = [str(model.document["name"]) for model in indexes.models]
    return [f"{indexes.collection}.{name}" for name in names if name not in present]
