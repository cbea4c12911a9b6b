"""Following the changes of a club: which of its documents may have changed, by id. What they are now is read later."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from bson import encode
from pymongo.errors import OperationFailure

from dbz.shards.club_id import club_value
from dbz.shards.deployment import Deployment, Document
from dbz.shards.errors import FenceOverrunError, HistoryLostError

MARKS = "dbz_marks"
"""A collection of the club database with one document a shard, written to see how far a change stream has come."""

_LOST = frozenset({136, 260, 280, 286})  # capped position lost, invalid token, stream fatal, history lost
_UNREADABLE = 9  # a token of another version, or of a store that was made anew
_AWAIT_MS = 20
_EMPTY = 5
_GLANCE_S = 0.02
_GLANCE_EVERY_S = 0.1
_LONG_AGO_S = 1_000_000_000
_KEYSTRING_TIME = re.compile("82([0-9A-Fa-f]{8})[0-9A-Fa-f]{8}").match

Key = tuple[str, bytes]
"""A collection and the BSON of `{_id: …}`: ids need not be hashable, nor comparable."""


class ChangeTail:
    """The change stream of a club on a shard; a context manager.

    It collects ids only: applying "what the document is now" for each of them converges whatever the order, and
    however often it is done. A deletion does not say whose document it was, so every one counts. With each id goes a
    moment (monotonic seconds) up to which the document had not changed.
    """

    def __init__(self, deployment: Deployment, shard: str, club: str, token: Document | None) -> None:
        self._database = deployment.shard(shard)
        self.dirty: dict[Key, float] = {}
        self._dry_at = time.monotonic()
        self._mark = f"{club}:{time.monotonic_ns()}"
        self._reached = ""
        self._time_s = 0.0
        self._glanced_at = 0.0
        try:
            self._stream = self._database.watch(
                _pipeline(deployment.file.collections, club_value(club)),
                full_document="updateLookup",
                resume_after=token,
                max_await_time_ms=_AWAIT_MS,
            )
        except OperationFailure as error:
            raise (HistoryLostError(str(error)) if token and error.code == _UNREADABLE else _lost(error)) from error

    def __enter__(self) -> ChangeTail:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stream.close()

    @property
    def token(self) -> Document:
        """The position up to which changes were collected."""
        token = self._stream.resume_token
        assert token is not None, "the store gives no position; change streams need a replica set"
        return dict(token)

    @property
    def complete_until(self) -> float:
        """Whoever has applied what is not in `dirty` has everything that was written until then (monotonic seconds)."""
        return next(iter(self.dirty.values()), self._dry_at)

    def collect(self, within_s: float = 0.25) -> int:
        """Take the changes that are there; how many that were.

        Ends after `within_s` also while more keep coming: a club that is written all the time never runs dry.
        """
        end = time.monotonic() + within_s
        taken = 0
        while self._take() and time.monotonic() < end:
            taken += 1
        return taken

    def glance(self) -> None:
        """Take some changes between two batches of something else; hardly anything when that was done just now."""
        if time.monotonic() - self._glanced_at > _GLANCE_EVERY_S:
            self.collect(_GLANCE_S)
            self._glanced_at = time.monotonic()

    def collect_seen(self, within_s: float) -> bool:
        """Take every change that was made before this call, without writing a marker; whether it got so far in time.

        An empty answer of a busy server does not mean the end, it may have looked only at changes of others. The end
        is where the position stands still, or where a change or a position that tells its time is later than the call.
        """
        end = time.monotonic() + within_s
        begun_s = self._database.client.admin.command("hello")["localTime"].timestamp()
        before, empty = None, 0
        while time.monotonic() < end:
            taken = self._take()
            reached_s = self._time_s if taken else _position_s(self.token)
            empty += not taken
            if reached_s > begun_s or (not taken and self.token == before) or (not reached_s and empty >= _EMPTY):
                return True
            before = self.token
        return False

    def collect_all(self, deadline: float) -> None:
        """Take every change that was made before this call; `FenceOverrunError` when `deadline` passes first.

        A marker written now comes after all of them in the stream, which keeps the order.
        """
        self._mark = f"{self._mark.rsplit(':', 1)[0]}:{time.monotonic_ns()}"
        self._database[MARKS].update_one({"_id": "mark"}, {"$set": {"at": self._mark}}, upsert=True)
        while self._reached != self._mark:
            self._take()
            if time.monotonic() > deadline:
                raise FenceOverrunError("the change stream did not catch up in time")

    def _take(self) -> bool:
        """Take one change, waiting for it a little; False when there is none."""
        asked = time.monotonic()
        change = self._next()
        if change is None:
            self._dry_at = asked
            return False
        collection = change["ns"]["coll"]
        self._time_s = float(change["clusterTime"].time) if "clusterTime" in change else 0.0
        if collection == MARKS:
            self._reached = (change.get("fullDocument") or {}).get("at", "")
        elif "documentKey" in change:
            document_id = change["documentKey"]["_id"]
            self.dirty.setdefault((collection, encode({"_id": document_id})), self._dry_at)
        elif change["operationType"] in ("drop", "rename", "dropDatabase", "invalidate"):
            raise HistoryLostError(f"'{collection}' was dropped or renamed")
        return True

    def _next(self) -> Document | None:
        try:
            change = self._stream.try_next()
        except OperationFailure as error:
            raise _lost(error) from error
        if change is None and not self._stream.alive:
            raise HistoryLostError("the change stream has ended")
        return dict(change) if change is not None else None


def _position_s(token: Document) -> float:
    """The time of a position, in seconds since 1970: MongoDB's begin with it. 0 for those of other stores."""
    found = _KEYSTRING_TIME(str(token.get("_data", "")))
    seconds = int(found[1], 16) if found else 0
    return float(seconds) if seconds > _LONG_AGO_S else 0.0


def _lost(error: OperationFailure) -> Exception:
    return HistoryLostError(str(error.details or error)) if error.code in _LOST else error


def _pipeline(collections: Mapping[str, str], club: Any) -> list[Document]:
    """Every change that may concern the club, and as little as possible of the others."""
    of_club = [
        {
            "ns.coll": collection,
            "$or": [
                {f"fullDocument.{field}": club},
                {f"updateDescription.updatedFields.{field}": {"$exists": True}},
                {"operationType": {"$nin": ["insert", "update"]}},
                {"operationType": "update", "fullDocument": None},
            ],
        }
        for collection, field in collections.items()
    ]
    return [
        {"$match": {"$or": [{"ns.coll": MARKS}, *of_club]}},
        {"$project": {"operationType": 1, "ns": 1, "documentKey": 1, "clusterTime": 1, "fullDocument.at": 1}},
    ]
