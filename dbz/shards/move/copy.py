"""Copying a club's documents, byte for byte, at a bounded pace; and bringing single documents up to date."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bson import decode
from pymongo import DeleteOne, ReplaceOne
from pymongo.errors import BulkWriteError

from dbz.shards.changes import Key
from dbz.shards.club_id import club_value
from dbz.shards.deployment import Deployment
from dbz.shards.errors import MoveFailedError
from dbz.shards.move.pace import PaceOnShards

_REFRESH_DOCS = 1000
_DUPLICATE = 11000

Copied = Callable[[int, int], None]
"""Told of documents and bytes after each batch."""


class Copier:
    """Copies one club from shard to shard. Nothing of another club is ever written or removed."""

    def __init__(self, deployment: Deployment, club: str, source: str, target: str, pace: PaceOnShards) -> None:
        self._source = deployment.raw(source)
        self._target = deployment.raw(target)
        self._target_name = target
        self._fields = deployment.file.collections
        self._club = club_value(club)
        self._pace = pace

    def copy(self, collection: str, copied: Copied) -> None:
        """Every document of a collection; those that the target has already are replaced."""
        found = self._source[collection].find({self._fields[collection]: self._club})
        with found.batch_size(self._pace.batch_docs) as cursor:
            for batch in _batches(cursor, self._pace):
                begin = time.perf_counter()
                size = sum(len(document.raw) for document in batch)
                self._insert(collection, batch)
                took_s = time.perf_counter() - begin
                copied(len(batch), size)
                self._pace.rest(size, took_s)

    def refresh(self, keys: Sequence[Key]) -> None:
        """Make the target's documents of these keys what the source's are now, or remove them."""
        by_collection: dict[str, list[bytes]] = {}
        for collection, key in keys:
            by_collection.setdefault(collection, []).append(key)
        for collection, found in by_collection.items():
            for at in range(0, len(found), _REFRESH_DOCS):
                self._refresh(collection, found[at : at + _REFRESH_DOCS])

    def _refresh(self, collection: str, keys: Sequence[bytes]) -> None:
        field = self._fields[collection]
        ids = {key: decode(key)["_id"] for key in keys}
        now = self._source[collection].find({"_id": {"$in": list(ids.values())}, field: self._club})
        operations: list[Any] = []
        for document in now:
            operations.append(self._replacement(collection, document))
            ids.pop(_key(document["_id"]), None)
        operations += [DeleteOne({"_id": document_id, field: self._club}) for document_id in ids.values()]
        self._write(collection, operations)

    def _insert(self, collection: str, batch: Sequence[Any]) -> None:
        try:
            self._target[collection].insert_many(batch, ordered=False)
        except BulkWriteError as error:
            problems = error.details["writeErrors"]
            if any(problem["code"] != _DUPLICATE for problem in problems):
                raise self._failed(collection, problems) from error
            self._write(collection, [self._replacement(collection, batch[problem["index"]]) for problem in problems])

    def _replacement(self, collection: str, document: Any) -> ReplaceOne[Any]:
        # With the club in the filter another club's document of the same id makes this fail, and is not overwritten.
        mine = {"_id": document["_id"], self._fields[collection]: self._club}
        return ReplaceOne(mine, document, upsert=True)

    def _failed(self, collection: str, problems: Sequence[dict[str, Any]]) -> MoveFailedError:
        first = problems[0]
        return MoveFailedError(
            f"{self._target_name} refuses documents of '{collection}': {str(first.get('errmsg'))[:200]}"
        )

    def _write(self, collection: str, operations: Sequence[Any]) -> None:
        if operations:
            try:
                self._target[collection].bulk_write(operations, ordered=False)
            except BulkWriteError as error:
                raise self._failed(collection, error.details["writeErrors"]) from error


def _key(document_id: Any) -> bytes:
    from bson import encode

    return encode({"_id": document_id})


def _batches(cursor: Iterable[Any], pace: PaceOnShards) -> Iterable[list[Any]]:
    batch: list[Any] = []
    size = 0
    for document in cursor:
        batch.append(document)
        size += len(document.raw)
        if len(batch) >= pace.batch_docs or size >= pace.batch_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
