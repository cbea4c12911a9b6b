"""Asking the stores themselves to refuse writes to old copies, by a validator on each collection.

https://www.mongodb.com/docs/manual/core/schema-validation/: a validator sees inserts and updates, not deletions, and
an `update_many` that also meets a guarded club fails part-way. A validator of the app's own stays in force beside it.
It is put up after a club has left and taken away before it comes back, so a dbz that dies in between holds no write
that follows the map; the old copy is then merely not guarded until the next move from that shard.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pymongo.errors import OperationFailure

from dbz.shards.club_id import club_value
from dbz.shards.copies.listing import copies_of
from dbz.shards.deployment import Deployment, Document
from dbz.shards.journal import MoveJournal
from dbz.shards.map import ShardMap

_MARK = "dbz: clubs that moved away"


def guard_copies(
    deployment: Deployment, journal: MoveJournal, shard_map: ShardMap, shard: str, but: Collection[str] = ()
) -> list[str]:
    """Make a shard refuse the clubs whose old copies lie on it, and no others, nor those in `but`.

    Returns what the store did not take, and why. Guards that stand are taken away where the shards file asks for none.
    """
    clubs: set[str] = set()
    if deployment.file.guard_old_copies:
        copies = copies_of(journal.all(), shard_map).judged
        clubs = {copy.move.club for copy in copies if copy.old and copy.shard == shard} - {*but}
    options = {found["name"]: found.get("options", {}) for found in deployment.shard(shard).list_collections()}
    problems = [
        _guard(deployment, shard, collection, clubs, options[collection])
        for collection in deployment.file.collections
        if collection in options
    ]
    return [problem for problem in problems if problem]


def _guard(
    deployment: Deployment, shard: str, collection: str, clubs: Collection[str], options: Mapping[str, Any]
) -> str:
    club_field = deployment.file.collections[collection]
    now = options.get("validator") or {}
    own = without_guard(now, club_field)
    wanted = with_guard(own, club_field, clubs)
    if wanted == now:
        return ""
    manner = options.get("validationLevel", "strict"), options.get("validationAction", "error")
    if own and manner != ("strict", "error"):
        return f"'{collection}' on {shard} is not guarded: its own validator is not strict, and would become so"
    try:
        deployment.shard(shard).command(
            "collMod", collection, validator=wanted, validationLevel="strict", validationAction="error"
        )
    except OperationFailure as error:
        return f"'{collection}' on {shard} is not guarded: {str(error)[:200]}"
    return ""


def with_guard(own: Mapping[str, Any], club_field: str, clubs: Collection[str]) -> Document:
    """A validator that refuses clubs, and whatever `own` refuses."""
    if not clubs:
        return dict(own)
    guard = {club_field: {"$nin": [_MARK, *map(club_value, sorted(clubs))]}}
    return {"$and": [guard, dict(own)]} if own else guard


def without_guard(validator: Mapping[str, Any], club_field: str) -> Document:
    """The app's own part of a validator."""
    if _is_guard(validator, club_field):
        return {}
    parts = validator.get("$and", ())
    if len(validator) == 1 and len(parts) == 2 and _is_guard(parts[0], club_field):
        return dict(parts[1])
    return dict(validator)


def _is_guard(validator: Mapping[str, Any], club_field: str) -> bool:
    refused = validator.get(club_field)
    return len(validator) == 1 and isinstance(refused, Mapping) and refused.get("$nin", ())[:1] == [_MARK]
