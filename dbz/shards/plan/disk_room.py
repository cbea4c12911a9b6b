"""Whether a shard's disk has room for what is to come, where its store tells how full it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pymongo.errors import OperationFailure

from dbz.shards.deployment import Deployment
from dbz.shards.plan.document import PlannedMove
from dbz.units import format_bytes

_FACTOR = 1.3  # indexes, and what is written meanwhile


def lack_of_room(deployment: Deployment, shard: str, size_bytes: int) -> str:
    """What to say when a shard has too little room for so many bytes of documents; empty when it has enough."""
    try:
        free = free_bytes(deployment.shard(shard).command("dbStats"))
    except OperationFailure:
        return ""
    if free is None or free >= size_bytes * _FACTOR:
        return ""
    return (
        f"{shard} has {format_bytes(free)} of disk left, and {format_bytes(size_bytes)} of documents are to come; with "
        f"indexes that takes up to {format_bytes(int(size_bytes * _FACTOR))}"
    )


def lacks_of_room(deployment: Deployment, moves: Iterable[PlannedMove]) -> list[str]:
    """What is to be said about each target of moves that cannot hold all of them."""
    coming: dict[str, int] = {}
    for move in moves:
        coming[move.target] = coming.get(move.target, 0) + move.bytes
    found = []
    for shard, size_bytes in coming.items():
        with deployment.reaching(shard):
            found.append(lack_of_room(deployment, shard, size_bytes))
    return [problem for problem in found if problem]


def free_bytes(stats: Mapping[str, Any]) -> int | None:
    """Free bytes of the file system in an answer of `dbStats`; None when the store does not tell."""
    total, used = stats.get("fsTotalSize"), stats.get("fsUsedSize")
    return max(0, int(total) - int(used)) if total and used is not None else None
