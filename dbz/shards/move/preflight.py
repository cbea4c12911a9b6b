"""What can be found out before anything is touched: room on the target, indexes, and ids that would collide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pymongo import IndexModel
from pymongo.errors import OperationFailure

from dbz.errors import UsageError
from dbz.shards.deployment import Deployment
from dbz.shards.errors import MoveFailedError
from dbz.shards.plan.disk_room import lack_of_room, lacks_of_room
from dbz.shards.plan.document import MovePlan
from dbz.shards.plan.indexes import advice, unindexed

_AT_ONCE = 500
_OWN_KEYS = ("v", "key", "ns", "name")


def check_move(deployment: Deployment, club: str, source: str, target: str, size_bytes: int) -> None:
    """`MoveFailedError` with the reason why a club cannot go to the target; reads only."""
    if problem := lack_of_room(deployment, target, size_bytes):
        raise MoveFailedError(problem)
    for collection, club_field in deployment.file.collections.items():
        keys = [("_id",), *_unique_keys(deployment, source, collection)]
        keys += [key for key in _unique_keys(deployment, target, collection) if key not in keys]
        for key in keys:
            _check_collisions(deployment, club, source, target, collection, club_field, key)


def make_indexes(deployment: Deployment, source: str, target: str) -> None:
    """Give the target the indexes that the source's collections have; those that it has already are left alone."""
    for collection in deployment.file.collections:
        there = deployment.shard(target)[collection].index_information()
        for name, index in deployment.shard(source)[collection].index_information().items():
            if name not in there:
                options = {key: value for key, value in index.items() if key not in _OWN_KEYS}
                model = IndexModel(index["key"], name=name, **options)
                try:
                    deployment.shard(target)[collection].create_indexes([model])
                except OperationFailure as error:
                    raise MoveFailedError(
                        f"index '{name}' of '{collection}' cannot be made on {target}: {str(error)[:200]}"
                    ) from error


def _unique_keys(deployment: Deployment, shard: str, collection: str) -> list[tuple[str, ...]]:
    indexes = deployment.shard(shard)[collection].index_information().values()
    return [tuple(name for name, _ in index["key"]) for index in indexes if index.get("unique")]


def _check_collisions(
    deployment: Deployment,
    club: str,
    source: str,
    target: str,
    collection: str,
    club_field: str,
    key: Sequence[str],
) -> None:
    if club_field in key:
        return  # documents of different clubs cannot have the same key
    fields = dict.fromkeys((*key, "_id"), 1)
    rows = deployment.shard(source)[collection].find({club_field: club}, fields)
    there = deployment.shard(target)[collection]
    for batch in _batches(rows):
        first = key[0]
        values = [_value(row, first) for row in batch]
        others = there.find({first: {"$in": values}, club_field: {"$ne": club}}, {**fields, club_field: 1})
        taken = {repr([_value(row, name) for name in key]): row for row in others}
        for row in batch:
            other = taken.get(repr([_value(row, name) for name in key]))
            if other is not None and (len(key) > 1 or _value(row, first) is not None):
                raise MoveFailedError(
                    f"document {row['_id']!r} of '{collection}' has the same {', '.join(key)} on {target} "
                    f"as {other['_id']!r} of club '{other.get(club_field)}'"
                )


def _value(row: Any, path: str) -> Any:
    for name in path.split("."):
        row = row.get(name) if isinstance(row, dict) else None
    return row


def _batches(rows: Any) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def refuse_unready(deployment: Deployment, plan: MovePlan, *, force: bool) -> None:
    """`UsageError` when a target lacks room for all that comes, or a large collection the index to find a club by.

    With `force` the index is not asked for.
    """
    full = lacks_of_room(deployment, plan.moves)
    if full:
        raise UsageError("\n".join(full), hint="make room, or plan fewer moves")
    sources = dict.fromkeys(move.source for move in plan.moves)
    large = [] if force else [one for one in unindexed(deployment, sources) if one.is_large]
    if large:
        hint = f"{advice(large)}; or give --force"
        raise UsageError("\n".join(f"{one}, for each of {len(plan.moves):,} clubs" for one in large), hint=hint)
