"""What lies where: documents and bytes of each club on each shard, and operations a second of each server."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from dbz.errors import UsageError
from dbz.shards.club_id import club_text
from dbz.shards.deployment import Deployment
from dbz.shards.map import ShardMap


@dataclass
class ClubSize:
    """Documents, and their bytes as BSON."""

    docs: int = 0
    bytes: int = 0

    def add(self, docs: int, size_bytes: int) -> None:
        """Count more."""
        self.docs += docs
        self.bytes += size_bytes


@dataclass
class Inventory:
    """Sizes by shard and club; `astray` are clubs found where the map does not lead: (club, shard)."""

    shards: dict[str, dict[str, ClubSize]] = field(default_factory=dict)
    nameless: list[str] = field(default_factory=list)

    def placed(self, shard_map: ShardMap) -> dict[str, ClubSize]:
        """The size of each club at the shard where the map has it."""
        return {
            club_id: size
            for shard, clubs in self.shards.items()
            for club_id, size in clubs.items()
            if shard_map.shard_of(club_id) == shard
        }

    def astray(self, shard_map: ShardMap) -> set[tuple[str, str]]:
        """(club, shard) of everything that lies where the map does not lead."""
        return {
            (club_id, shard)
            for shard, clubs in self.shards.items()
            for club_id in clubs
            if shard_map.shard_of(club_id) != shard
        }

    def refuse_nameless(self) -> None:
        """`UsageError` when there are documents that no map can place."""
        if self.nameless:
            raise UsageError(
                "documents without a club cannot be placed:\n" + "\n".join(self.nameless),
                hint="give them their club, or take the collection out of the shards file; dbz shard verify names them",
                code="H017",
            )


def take_inventory(deployment: Deployment, shards: Iterable[str]) -> Inventory:
    """Read every document's club and size on the shards, side by side; `DependencyError` names a shard that fails."""
    names = list(shards)
    found = Inventory()
    with ThreadPoolExecutor(max(1, min(8, len(names)))) as pool:
        for name, (clubs, nameless) in zip(names, pool.map(lambda one: _of_shard(deployment, one), names), strict=True):
            found.shards[name] = clubs
            found.nameless += nameless
    return found


def _of_shard(deployment: Deployment, shard: str) -> tuple[dict[str, ClubSize], list[str]]:
    clubs: dict[str, ClubSize] = {}
    nameless: list[str] = []
    with deployment.reaching(shard):
        database = deployment.shard(shard)
        for collection, club_field in deployment.file.collections.items():
            group = {
                "_id": f"${club_field}",
                "docs": {"$sum": 1},
                "bytes": {"$sum": {"$bsonSize": "$$ROOT"}},
            }
            for row in database[collection].aggregate([{"$group": group}], allowDiskUse=True):
                if (club := club_text(row["_id"])) is not None:
                    clubs.setdefault(club, ClubSize()).add(row["docs"], row["bytes"])
                else:
                    nameless.append(
                        f"{shard}: {row['docs']:,} in '{collection}' have no id of a club in '{club_field}'"
                    )
    return clubs, nameless


def operations_per_s(deployment: Deployment, shards: Iterable[str], over_s: float = 0.5) -> Mapping[str, float | None]:
    """Operations a second of each shard's server, from its own counters; None where it does not tell."""
    names = list(shards)
    before = {name: _operations(deployment, name) for name in names}
    begin = time.monotonic()
    time.sleep(over_s)
    elapsed_s = time.monotonic() - begin
    found: dict[str, float | None] = {}
    for name in names:
        earlier, now = before[name], _operations(deployment, name)
        found[name] = None if earlier is None or now is None else max(0.0, (now - earlier) / elapsed_s)
    return found


def _operations(deployment: Deployment, shard: str) -> int | None:
    with deployment.reaching(shard):
        counters = deployment.status(shard).get("opcounters")
    if not counters:
        return None
    return sum(int(counters.get(kind, 0)) for kind in ("insert", "query", "update", "delete", "getmore"))
