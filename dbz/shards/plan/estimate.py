"""How long moves will take, before the first one: as earlier moves went, else from a sample that is read."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pymongo.errors import OperationFailure

from dbz.shards.club_id import club_value
from dbz.shards.deployment import Deployment
from dbz.shards.plan.cost import CopyCost, Load, Mix, read_units, shared_out
from dbz.shards.plan.document import PlannedMove

_COSTS = "costs"
_SAMPLE_DOCS = 500
_REST_S = 2.0
_BESIDE = 1.5
"""A store that is copied serves the app's writes and the change stream meanwhile; a sample meets it for a moment."""
_BASELINE_S = 1.5
_ENOUGH_BYTES = 50_000
_BOTH_SIDES = 2


@dataclass(frozen=True)
class MoveCosts:
    """How fast clubs are moved, beside what their documents cost by the book."""

    unit_s: float
    """Seconds in which a store reads a document beside its other work."""
    copy_factor: float = 1.0
    """How much longer copying takes than reckoned."""
    compare_factor: float = 1.0
    """How much longer comparing takes."""
    rest_s: float = _REST_S
    """Of each move, beside copying and comparing."""
    measured: bool = False
    """Whether moves went so; else it is reckoned from reading."""

    def seconds(
        self, moves: Sequence[PlannedMove], mixes: Mapping[str, Mix], limit_bytes_per_s: float | None
    ) -> tuple[float, float]:
        """How long moves take, one after the other, below a rate; and the part of it that is copying.

        `mixes` tells what the documents of each shard are like.
        """
        cost = CopyCost(self.unit_s, limit_bytes_per_s)
        copying_s = comparing_s = 0.0
        for move in moves:
            for load in shared_out(mixes.get(move.source, {}), move.docs, move.bytes).values():
                copying_s += cost.copy_s(load) * self.copy_factor
                comparing_s += _BOTH_SIDES * cost.compare_s(load) * self.compare_factor
        baselines = _firsts(moves) if limit_bytes_per_s is not None and not self.measured else 0
        return copying_s + comparing_s + len(moves) * self.rest_s + baselines * _BASELINE_S, copying_s


def _firsts(moves: Iterable[PlannedMove]) -> int:
    """Moves that meet a shard for the first time: what is usual there is measured before anything is copied."""
    met: set[str] = set()
    count = 0
    for move in moves:
        count += not {move.source, move.target} <= met
        met |= {move.source, move.target}
    return count


def mixes_of(deployment: Deployment, shards: Iterable[str]) -> dict[str, Mix]:
    """What each shard has of each collection, by the store's own counters; a shard that does not tell has no mix."""
    found: dict[str, Mix] = {}
    for shard in dict.fromkeys(shards):
        with deployment.reaching(shard):
            try:
                found[shard] = _mix(deployment, shard)
            except OperationFailure:
                continue
    return found


def _mix(deployment: Deployment, shard: str) -> Mix:
    mix = {}
    for collection in deployment.file.collections:
        stats = deployment.shard(shard).command("collStats", collection)
        indexes = max(0, int(stats.get("nindexes", 1)) - 1)
        mix[collection] = Load(float(stats.get("count", 0)), float(stats.get("size", 0)), indexes)
    return mix


def expected_costs(deployment: Deployment, largest: PlannedMove) -> MoveCosts | None:
    """How fast the next moves will go; None where nothing can be told."""
    with deployment.reaching("the control store"):
        found = deployment.control["plans"].find_one({"_id": _COSTS})
    if found:
        del found["_id"]
        return MoveCosts(**found)
    return _sampled(deployment, largest)


def remember_costs(control: Any, costs: MoveCosts | None, moved_bytes: int) -> None:
    """Keep how moves went for the next plan; too few bytes say nothing."""
    if costs is not None and moved_bytes >= _ENOUGH_BYTES:
        control["plans"].replace_one({"_id": _COSTS}, asdict(costs), upsert=True)


def _sampled(deployment: Deployment, move: PlannedMove) -> MoveCosts | None:
    """By reading some documents of each collection."""
    read, begin = Load(), time.perf_counter()
    with deployment.reaching(move.source):
        for collection, club_field in deployment.file.collections.items():
            wanted = {club_field: club_value(move.club)}
            for document in deployment.raw(move.source)[collection].find(wanted).limit(_SAMPLE_DOCS):
                read = read.plus(1, len(document.raw))
    if not read.docs:
        return None
    return MoveCosts(_BESIDE * (time.perf_counter() - begin) / read_units(read))
