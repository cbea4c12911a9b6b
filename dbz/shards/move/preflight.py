"""What can be found out before anything is touched: room, indexes, what cannot be moved, and ids that would collide.

First of a plan as a whole, then right before each move.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import encode

from dbz.errors import UsageError
from dbz.shards.club_id import at, club_value
from dbz.shards.deployment import Deployment
from dbz.shards.errors import MoveFailedError
from dbz.shards.plan.disk_room import lack_of_room, lacks_of_room
from dbz.shards.plan.document import MovePlan
from dbz.shards.plan.indexes import advice, unindexed
from dbz.shards.shapes import obstacles

_AT_ONCE = 500


def refuse_unready(deployment: Deployment, plan: MovePlan, *, force: bool) -> None:
    """`UsageError` when a target lacks room, a collection cannot be moved, or a large one lacks the index for clubs.

    With `force` the index is not asked for.
    """
    if problems := obstacles(deployment, [(move.source, move.target) for move in plan.moves]):
        raise UsageError(
            "\n".join(problems), hint="nothing was touched; docs/shards.md says what can be moved", code="H014"
        )
    full = lacks_of_room(deployment, plan.moves)
    if full:
        raise UsageError("\n".join(full), hint="make room, or plan fewer moves", code="H014")
    sources = dict.fromkeys(move.source for move in plan.moves)
    large = [] if force else [lack for lack in unindexed(deployment, sources) if lack.is_large]
    if large:
        hint = f"{advice(large)}; or give --force"
        raise UsageError(
            "\n".join(f"{lack}, for each of {len(plan.moves):,} clubs" for lack in large), hint=hint, code="H014"
        )


def check_move(deployment: Deployment, club: str, source: str, target: str, size_bytes: int) -> None:
    """`MoveFailedError` with the reason why a club cannot go to the target; reads only."""
    if problem := lack_of_room(deployment, target, size_bytes):
        raise MoveFailedError(problem)
    for collection, club_field in deployment.file.collections.items():
        unique = [_Unique(("_id",), {}, sparse=False), *_unique(deployment, source, collection)]
        unique += [index for index in _unique(deployment, target, collection) if index not in unique]
        for index in unique:
            if club_field not in index.paths:  # else documents of different clubs cannot have the same key
                _Collisions(deployment, club, source, target, collection, index).check()


@dataclass(frozen=True)
class _Unique:
    """A unique index: which paths, and of which documents only."""

    paths: tuple[str, ...]
    only: Mapping[str, Any]
    sparse: bool

    def key(self, row: Mapping[str, Any]) -> bytes | None:
        """What must be unique; None for a document that has nothing of it, which a sparse index leaves out.

        A list stands for each of its elements in an index; as a whole it finds equal lists only, and the store itself
        refuses the rest when the document is copied.
        """
        values = [at(row, path) for path in self.paths]
        if all(value is None for value in values) and (self.sparse or len(values) == 1):
            return None
        return encode({"": values})


def _unique(deployment: Deployment, shard: str, collection: str) -> list[_Unique]:
    indexes = deployment.shard(shard)[collection].index_information().values()
    return [
        _Unique(
            tuple(name for name, _ in index["key"]),
            dict(index.get("partialFilterExpression", {})),
            bool(index.get("sparse")),
        )
        for index in indexes
        if index.get("unique")
    ]


class _Collisions:
    """Looks for documents of other clubs on the target that have the unique key of a document of the club.

    Asked in batches where the target finds them by an index, and in one pass over all of it where it cannot, as with
    partial and sparse indexes: a question that reads everything must not be asked once for each batch.
    """

    def __init__(
        self, deployment: Deployment, club: str, source: str, target: str, collection: str, index: _Unique
    ) -> None:
        self._collection = collection
        self._field = deployment.file.collections[collection]
        self._mine = {self._field: club_value(club), **index.only}
        self._others = {self._field: {"$ne": club_value(club)}, **index.only}
        self._source = deployment.shard(source)[collection]
        self._database = deployment.shard(target)
        self._target_name = target
        self._index = index
        self._fields = dict.fromkeys((*index.paths, "_id", self._field), 1)

    def check(self) -> None:
        """`MoveFailedError` names the first collision."""
        rows = self._source.find(self._mine, self._fields)
        if self._is_found_by_index():
            for batch in _batches(rows):
                first = self._index.paths[0]
                values = [at(row, first) for row in batch]
                self._compare(self._keys(batch), {**self._others, first: {"$in": values}})
        elif mine := self._keys(rows):
            self._compare(mine, self._others)

    def _keys(self, rows: Iterable[Mapping[str, Any]]) -> dict[bytes, Any]:
        keyed = ((self._index.key(row), row["_id"]) for row in rows)
        return {key: document_id for key, document_id in keyed if key is not None}

    def _compare(self, mine: Mapping[bytes, Any], others: Mapping[str, Any]) -> None:
        if not mine:
            return
        with self._database[self._collection].find(others, self._fields) as found:
            for other in found:
                key = self._index.key(other)
                if key is not None and key in mine:
                    raise MoveFailedError(
                        f"document {mine[key]!r} of '{self._collection}' has the same {', '.join(self._index.paths)} "
                        f"on {self._target_name} as {other['_id']!r} of club '{at(other, self._field)}'"
                    )

    def _is_found_by_index(self) -> bool:
        """Whether the target's plan for a batch reads an index; where it tells nothing, only plain ones are trusted."""
        if self._index.paths == ("_id",):
            return True
        if self._index.only or self._index.sparse:
            return False
        wanted = {**self._others, self._index.paths[0]: {"$in": ["", "-"]}}
        plan = self._database.command("explain", {"find": self._collection, "filter": wanted}, verbosity="queryPlanner")
        return "COLLSCAN" not in str(plan.get("queryPlanner", {}).get("winningPlan", ""))


def _batches(rows: Any) -> Iterator[Sequence[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
