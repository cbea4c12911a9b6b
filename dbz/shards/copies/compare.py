"""Comparing a club on two shards, document by document, by digests of their bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from bson import decode, encode

from dbz.shards.changes import Key
from dbz.shards.club_id import club_value
from dbz.shards.deployment import Deployment

_AT_ONCE = 1000

Read = Callable[[Any], Iterator[Any]]
"""Passes on the documents of a cursor, at a pace of its own."""


@dataclass
class ClubDifference:
    """Keys of documents that only the source has, only the target, or both but not the same; `same` is their number."""

    missing: list[Key] = field(default_factory=list)
    extra: list[Key] = field(default_factory=list)
    different: list[Key] = field(default_factory=list)
    same: int = 0

    def keys(self) -> list[Key]:
        """All of them."""
        return [*self.missing, *self.extra, *self.different]


def compare_club(deployment: Deployment, club: str, source: str, target: str, read: Read = iter) -> ClubDifference:
    """Every document of a club on both shards; all of them are read by way of `read`."""
    found = ClubDifference()
    for collection, club_field in deployment.file.collections.items():
        there, here = (
            _digests(read(deployment.raw(shard)[collection].find({club_field: club_value(club)})))
            for shard in (source, target)
        )
        _compare(collection, there, here, found)
    return found


def compare_keys(deployment: Deployment, club: str, source: str, target: str, keys: Collection[Key]) -> ClubDifference:
    """Some documents of a club on both shards."""
    found = ClubDifference()
    by_collection: dict[str, list[Any]] = {}
    for collection, key in keys:
        by_collection.setdefault(collection, []).append(decode(key)["_id"])
    for collection, ids in by_collection.items():
        field_ = deployment.file.collections[collection]
        for at in range(0, len(ids), _AT_ONCE):
            wanted = {"_id": {"$in": ids[at : at + _AT_ONCE]}, field_: club_value(club)}
            there, here = (_digests(deployment.raw(shard)[collection].find(wanted)) for shard in (source, target))
            _compare(collection, there, here, found)
    return found


def _digests(documents: Iterable[Any]) -> dict[bytes, bytes]:
    return {encode({"_id": one["_id"]}): blake2b(one.raw, digest_size=16).digest() for one in documents}


def _compare(collection: str, source: dict[bytes, bytes], target: dict[bytes, bytes], found: ClubDifference) -> None:
    for key, digest in source.items():
        there = target.pop(key, None)
        if there is None:
            found.missing.append((collection, key))
        elif there != digest:
            found.different.append((collection, key))
        else:
            found.same += 1
    found.extra += [(collection, key) for key in target]
