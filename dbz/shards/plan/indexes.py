"""Indexes that begin with the clubs' field: without one, whatever concerns one club reads the documents of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dbz.shards.deployment import Deployment

LARGE_DOCS = 100_000
"""From so many documents on, reading all of a collection for each club that moves is refused."""
_USABLE = (1, -1, "hashed")


@dataclass(frozen=True)
class Unindexed:
    """A collection that has no index to find one club's documents by, and how many documents each shard has."""

    collection: str
    club_field: str
    docs: Mapping[str, int]

    @property
    def is_large(self) -> bool:
        """Whether reading all of it for one club is out of proportion."""
        return max(self.docs.values()) >= LARGE_DOCS

    def __str__(self) -> str:
        where = ", ".join(f"{shard} {docs:,}" for shard, docs in self.docs.items())
        return (
            f"'{self.collection}' has no index that begins with '{self.club_field}' ({where} documents): each move "
            "of a club, and each comparison, reads all of it"
        )


def unindexed(deployment: Deployment, shards: Iterable[str]) -> list[Unindexed]:
    """The collections that lack such an index on some of the shards; empty collections need none."""
    names = list(shards)
    found = []
    for collection, club_field in deployment.file.collections.items():
        docs: dict[str, int] = {}
        for shard in names:
            with deployment.reaching(shard):
                there = deployment.shard(shard)[collection]
                if not any(_finds(index, club_field) for index in there.index_information().values()):
                    docs[shard] = there.estimated_document_count()
        if any(docs.values()):
            found.append(Unindexed(collection, club_field, {shard: count for shard, count in docs.items() if count}))
    return found


def advice(found: Sequence[Unindexed]) -> str:
    """How to make the indexes, as the shell of the store takes it."""
    makes = (f"db.{one.collection}.createIndex({{{one.club_field!r}: 1}})" for one in found)
    return "make the index on each shard, which can be done while the app runs: " + "; ".join(makes)


def _finds(index: Mapping[str, Any], club_field: str) -> bool:
    # A partial index lacks documents, and one with a collation orders texts otherwise than a plain query.
    path, direction = index["key"][0]
    return (
        path == club_field
        and direction in _USABLE
        and "partialFilterExpression" not in index
        and "collation" not in index
    )
