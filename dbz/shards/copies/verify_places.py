"""Looking for documents that do not lie where the map leads, or lie there twice. Reads only, and can be resumed.

The collection is read on all shards at once, in the order of the ids, so that equal ids meet and memory stays small.
What looks wrong is looked at again at the end, by the map of then: clubs may be moving meanwhile.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads

from dbz.bson_order import order_key
from dbz.shards.club_id import at, club_text, club_value
from dbz.shards.deployment import Deployment
from dbz.shards.errors import PausedError
from dbz.shards.journal import MoveJournal, old_copies
from dbz.shards.map import ShardMap
from dbz.shards.shapes import shape_differences

SCHEMA = "dbz.shard-verification/1"
_LOOK_EVERY = 500


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    kind: str
    """missing, extra, different, misplaced, duplicate, no club, no index or options"""
    collection: str
    id: str
    """The document's id as extended JSON, or the index's name; empty for the options of a collection."""
    club: str
    shard: str
    """Where it is wrong."""
    detail: str = ""


@dataclass(frozen=True)
class Unchecked:
    """A copy that could not be judged in full: whose, on which shard, from which move, and why."""

    club: str
    shard: str
    move: str
    reason: str


@dataclass
class Progress:
    """How far a verification has come; written as one document, so that counts and position always fit together."""

    deployment: str
    clubs: tuple[str, ...] = ()
    done: list[str] = field(default_factory=list)
    collection: str = ""
    last_id: str = ""
    documents: int = 0
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON, with its schema."""
        return {"schema": SCHEMA, **asdict(self)}


@dataclass(frozen=True)
class _Row:
    key: tuple[Any, ...]
    id: Any
    club: str | None
    shard: str


class Verifier:
    """Verifies a deployment; `save` is told of the progress now and then, `stop` asked whether to pause."""

    def __init__(
        self,
        deployment: Deployment,
        progress: Progress,
        save: Callable[[Progress], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._deployment = deployment
        self._progress = progress
        self._save = save
        self._stop = stop
        self._journal = MoveJournal(deployment.control)

    def run(self, shard_map: ShardMap, current: Callable[[], ShardMap]) -> list[Finding]:
        """All findings about the places of documents; `PausedError` when it was stopped, with everything saved."""
        names = self._deployment.file.names
        shards = [name for name in names if name in shard_map.shards or self._deployment.has_uri(name)]
        self._progress.notes = [
            f"{name} stands by without a URI, and was not read" for name in names if name not in shards
        ]
        copies = old_copies(self._journal.all())
        for collection in self._deployment.file.collections:
            if collection not in self._progress.done:
                self._collection(collection, shards, shard_map, copies)
        return self._confirmed(shards, current())

    def _collection(self, collection: str, shards: Sequence[str], shard_map: ShardMap, copies: Any) -> None:
        progress = self._progress
        resumed = progress.collection == collection and progress.last_id
        after = loads(progress.last_id)["_id"] if resumed else None
        progress.collection = collection
        rows = heapq.merge(*(self._rows(collection, shard, after) for shard in shards), key=lambda row: row.key)
        for number, same in enumerate(_grouped(rows)):
            progress.findings += judge(collection, same, shard_map, copies)
            progress.documents += len(same)
            progress.last_id = _text(same[0].id)
            if number % _LOOK_EVERY == 0:
                self._save(progress)
                if self._stop():
                    raise PausedError
        progress.done.append(collection)
        progress.last_id = ""
        self._save(progress)

    def _rows(self, collection: str, shard: str, after: Any) -> Iterator[_Row]:
        club_field = self._deployment.file.collections[collection]
        wanted: dict[str, Any] = (
            {club_field: {"$in": [club_value(club) for club in self._progress.clubs]}} if self._progress.clubs else {}
        )
        if after is not None:
            # Comparing as an expression goes across types; $gt in a query stays within that of its value.
            wanted["$expr"] = {"$gt": ["$_id", {"$literal": after}]}
        with self._deployment.reaching(shard):
            found = self._deployment.shard(shard)[collection].find(wanted, {"_id": 1, club_field: 1})
            for row in found.sort("_id", 1):
                yield _Row(order_key(row["_id"]), row["_id"], club_text(at(row, club_field)), shard)

    def _confirmed(self, shards: Sequence[str], shard_map: ShardMap) -> list[Finding]:
        """Findings that still hold: documents move, and are removed, while they are being read."""
        copies = old_copies(self._journal.all())
        confirmed: dict[tuple[str, str], list[Finding]] = {}
        for finding in self._progress.findings:
            where = (finding.collection, finding.id)
            if where in confirmed:
                continue
            document_id = loads(finding.id)["_id"]
            club_field = self._deployment.file.collections[finding.collection]
            rows = []
            for shard in shards:
                with self._deployment.reaching(shard):
                    row = self._deployment.shard(shard)[finding.collection].find_one({"_id": document_id})
                if row is not None:
                    rows.append(_Row((), document_id, club_text(at(row, club_field)), shard))
            confirmed[where] = judge(finding.collection, rows, shard_map, copies)
        return [finding for found in confirmed.values() for finding in found]


def judge(collection: str, rows: Sequence[_Row], shard_map: ShardMap, copies: Any) -> list[Finding]:
    """What is wrong about the documents that have one id, over all shards."""
    findings = []
    at_home = [row for row in rows if row.club is not None and shard_map.shard_of(row.club) == row.shard]
    for row in rows:
        if row.club is None:
            findings.append(Finding("no club", collection, _text(row.id), "", row.shard, "its club is no id"))
        elif row not in at_home and (row.club, row.shard) not in copies:
            owner = shard_map.shard_of(row.club)
            twin = any(other.club == row.club for other in at_home)
            kind, detail = ("duplicate", f"it is on {owner} too") if twin else ("misplaced", f"it belongs on {owner}")
            findings.append(Finding(kind, collection, _text(row.id), row.club, row.shard, detail))
    if len(at_home) > 1:
        where = ", ".join(f"'{row.club}' on {row.shard}" for row in at_home)
        findings.append(
            Finding(
                "duplicate", collection, _text(rows[0].id), str(at_home[1].club), at_home[1].shard, f"clubs {where}"
            )
        )
    return findings


def unlike_shards(deployment: Deployment, shards: Iterable[str]) -> list[Finding]:
    """Options, views and indexes that some shards have and others lack, or have otherwise."""
    return [
        Finding("no index" if found.name else "options", found.collection, found.name, "", found.shard, found.detail)
        for found in shape_differences(deployment, shards)
    ]


def _grouped(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    group: list[_Row] = []
    for row in rows:
        if group and row.key != group[0].key:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _text(document_id: Any) -> str:
    return dumps({"_id": document_id}, json_options=CANONICAL_JSON_OPTIONS)


def key_text(key: bytes) -> str:
    """The extended JSON of an id that is given as BSON."""
    from bson import decode

    return _text(decode(key)["_id"])
