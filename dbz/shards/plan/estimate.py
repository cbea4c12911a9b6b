"""How long moves will take, before the first one: as earlier moves went, else from a sample that is read."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from dbz.shards.club_id import club_value
from dbz.shards.deployment import Deployment
from dbz.shards.plan.document import PlannedMove

_SPEEDS = "speeds"
_SAMPLE_DOCS = 500
_LIMITED = 0.7
_PACED = 4.0
"""With a rate, copying takes a quarter of a store's time: after each batch it rests three times as long."""
_REST_S = 1.0
_ENOUGH_BYTES = 50_000


@dataclass(frozen=True)
class MoveSpeeds:
    """How fast clubs are moved."""

    copy_bytes_per_s: float
    compare_bytes_per_s: float
    """Both shards are read for it, so a club counts twice."""
    rest_s: float
    """Of each move, beside copying and comparing."""
    limit_bytes_per_s: float | None = None
    """The rate that was allowed."""
    measured: bool = False
    """Whether moves went so; else it is reckoned from reading."""

    def within(self, limit_bytes_per_s: float | None) -> MoveSpeeds:
        """The speeds below a rate."""
        highest = limit_bytes_per_s or float("inf")
        copy, compare = min(self.copy_bytes_per_s, highest), min(self.compare_bytes_per_s, highest)
        return MoveSpeeds(copy, compare, self.rest_s, limit_bytes_per_s, self.measured)

    def seconds(self, size_bytes: int, moves: int) -> float:
        """How long so many moves take, of so many bytes together."""
        return size_bytes / self.copy_bytes_per_s + 2 * size_bytes / self.compare_bytes_per_s + moves * self.rest_s


def expected_speeds(deployment: Deployment, largest: PlannedMove, limit_bytes_per_s: float | None) -> MoveSpeeds | None:
    """How fast the next moves will go; None where nothing can be told."""
    with deployment.reaching("the control store"):
        found = deployment.control["plans"].find_one({"_id": _SPEEDS})
    if found:
        del found["_id"]
        speeds = MoveSpeeds(**found)
        was_limit = speeds.limit_bytes_per_s
        limited = was_limit is not None and speeds.copy_bytes_per_s > _LIMITED * was_limit
        if not limited or (limit_bytes_per_s is not None and was_limit is not None and limit_bytes_per_s <= was_limit):
            return speeds.within(limit_bytes_per_s)
    return _sampled(deployment, largest, limit_bytes_per_s)


def remember_speeds(control: Any, speeds: MoveSpeeds | None, moved_bytes: int) -> None:
    """Keep how moves went for the next plan; too few bytes say nothing."""
    if speeds is not None and moved_bytes >= _ENOUGH_BYTES:
        control["plans"].replace_one({"_id": _SPEEDS}, asdict(speeds), upsert=True)


def _sampled(deployment: Deployment, move: PlannedMove, limit_bytes_per_s: float | None) -> MoveSpeeds | None:
    """By reading some documents: each is read, written at about the same price, and read again on both shards."""
    begin, read = time.perf_counter(), 0
    with deployment.reaching(move.source):
        for collection, club_field in deployment.file.collections.items():
            wanted = {club_field: club_value(move.club)}
            found = deployment.raw(move.source)[collection].find(wanted).limit(_SAMPLE_DOCS)
            read += sum(len(document.raw) for document in found)
    if not read:
        return None
    reading = read / (time.perf_counter() - begin)
    paced = 1.0 if limit_bytes_per_s is None else _PACED
    return MoveSpeeds(reading / (1 + paced), reading / paced, _REST_S).within(limit_bytes_per_s)
