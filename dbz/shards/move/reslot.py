"""Giving slots to other shards: no club that there is moves by it, but new clubs begin on the new shard."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from dbz.shards.changes import MARKS
from dbz.shards.club_id import at, club_text
from dbz.shards.control import Control
from dbz.shards.deployment import Deployment, Document
from dbz.shards.errors import FenceOverrunError
from dbz.shards.map import Fence, ShardMap

_MOVE = "slots"
_TRIES = 8
_GLANCE_S = 0.25


def reslot(
    deployment: Deployment, control: Control, shards: Sequence[str], owners: Sequence[str], max_fence_s: float
) -> ShardMap:
    """Bring the map to `owners` of the slots, every club staying where it is; does nothing when it is there already.

    A club whose first document is being written just now is in no list. So new clubs are listed from the change
    streams, and for a moment the writes of clubs that nobody knows are held, in the slots that change hands.
    `FenceOverrunError` when the servers do not follow in time, several times.
    """
    for attempt in range(1, _TRIES + 1):
        before = control.lift(_MOVE)
        if list(before.shards) == list(shards) and before.owners() == list(owners):
            return before
        try:
            return _once(deployment, control, tuple(shards), owners, max_fence_s)
        except FenceOverrunError:
            control.lift(_MOVE)
            if attempt == _TRIES:
                raise
            time.sleep(0.5 * attempt)
    raise AssertionError


def _once(
    deployment: Deployment, control: Control, shards: tuple[str, ...], owners: Sequence[str], max_fence_s: float
) -> ShardMap:
    before = control.map()
    streams = [_NewClubs(deployment, shard) for shard in before.shards]
    try:
        known = {club for shard in before.shards for club in _clubs(deployment, shard)}
        for stream in streams:
            stream.collect()
        changing = {slot for slot, owner in enumerate(owners) if before.owners()[slot] != owner}
        deadline = time.monotonic() + max_fence_s
        settled = control.change(lambda one: _closing(one, known, changing, max_fence_s))
        control.wait_for_routers(settled.epoch, deadline)
        for stream in streams:
            known |= stream.collect_all(deadline)
        after = settled.reslotted(shards, owners, known)
        if time.monotonic() > deadline or not control.replace(after):
            raise FenceOverrunError("the fence was taken away")
        return after
    finally:
        for stream in streams:
            stream.close()


def _closing(before: ShardMap, known: set[str], changing: set[int], max_s: float) -> ShardMap:
    """The map in which known clubs of the changing slots have entries of their own, and unknown ones must wait."""
    own = {club: before.shards.index(before.shard_of(club)) for club in known if before.slot_of(club) in changing}
    closed = dict.fromkeys(changing, Fence(_MOVE, max_s))
    return before.next(clubs={**before.clubs, **own}, closed=closed)


def _clubs(deployment: Deployment, shard: str) -> set[str]:
    database = deployment.shard(shard)
    return {
        club
        for collection, field in deployment.file.collections.items()
        for row in database[collection].aggregate([{"$group": {"_id": f"${field}"}}])
        if (club := club_text(row["_id"])) is not None
    }


class _NewClubs:
    """The clubs that the changes of a shard name, from now on."""

    def __init__(self, deployment: Deployment, shard: str) -> None:
        self._fields = deployment.file.collections
        self._database = deployment.shard(shard)
        self._reached = ""
        self._seen: set[str] = set()
        shown: Document = {"ns": 1, "fullDocument.at": 1}
        shown |= {f"fullDocument.{field}": 1 for field in set(self._fields.values())}
        wanted = {"ns.coll": {"$in": [MARKS, *self._fields]}, "operationType": {"$in": ["insert", "update", "replace"]}}
        pipeline: list[Document] = [{"$match": wanted}, {"$project": shown}]
        self._stream: Any = self._database.watch(pipeline, full_document="updateLookup", max_await_time_ms=20)

    def collect(self, until: Callable[[], bool] = lambda: False) -> set[str]:
        """Take what is there, for a moment at most: a busy shard never runs dry."""
        end = time.monotonic() + _GLANCE_S
        while time.monotonic() < end and (change := self._stream.try_next()) is not None:
            document = change.get("fullDocument") or {}
            if change["ns"]["coll"] == MARKS:
                self._reached = document.get("at", "")
            elif (club := club_text(at(document, self._fields[change["ns"]["coll"]]))) is not None:
                self._seen.add(club)
            if until():
                break
        return self._seen

    def collect_all(self, deadline: float) -> set[str]:
        """Take everything that was written before this call."""
        mark = f"{_MOVE}:{time.monotonic_ns()}"
        self._database[MARKS].update_one({"_id": "mark"}, {"$set": {"at": mark}}, upsert=True)
        while self._reached != mark:
            self.collect(lambda: self._reached == mark)
            if time.monotonic() > deadline:
                raise FenceOverrunError("the change stream did not catch up in time")
        return self._seen

    def close(self) -> None:
        """End the stream."""
        self._stream.close()
