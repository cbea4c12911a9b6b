"""Removing a club's documents from a shard where the map does not lead, by their ids, in batches."""

from __future__ import annotations

import time
from collections.abc import Collection

from bson import decode

from dbz.shards.changes import Key
from dbz.shards.club_id import club_value
from dbz.shards.deployment import Deployment

_AT_ONCE = 200
_BUSY_SHARE = 0.25


def remove_club(deployment: Deployment, club: str, shard: str) -> int:
    """Everything of a club on a shard; how many documents that were."""
    keys = 0
    for collection, field in deployment.file.collections.items():
        there = deployment.shard(shard)[collection]
        while ids := [row["_id"] for row in there.find({field: club_value(club)}, {"_id": 1}).limit(_AT_ONCE)]:
            begin = time.perf_counter()
            keys += there.delete_many({"_id": {"$in": ids}, field: club_value(club)}).deleted_count
            time.sleep((time.perf_counter() - begin) * (1 / _BUSY_SHARE - 1))
    return keys


def remove_keys(deployment: Deployment, club: str, shard: str, keys: Collection[Key]) -> int:
    """Some documents of a club on a shard; how many there were."""
    removed = 0
    for collection, field in deployment.file.collections.items():
        ids = [decode(key)["_id"] for name, key in keys if name == collection]
        for at in range(0, len(ids), _AT_ONCE):
            begin = time.perf_counter()
            wanted = {"_id": {"$in": ids[at : at + _AT_ONCE]}, field: club_value(club)}
            removed += deployment.shard(shard)[collection].delete_many(wanted).deleted_count
            time.sleep((time.perf_counter() - begin) * (1 / _BUSY_SHARE - 1))
    return removed
