"""A query over all shards: each gives at most skip + limit documents in order, and they are merged as streams.

A club that is being moved, or was, has documents on two shards; each shard is asked without the clubs that the map has
elsewhere, and when the map changed meanwhile the query is made again. A shard that fails fails the query: part of an
answer would look like all of it.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from pymongo.errors import OperationFailure

from dbz.bson_order import sort_key
from dbz.errors import DependencyError, UsageError
from dbz.filters import refusal
from dbz.shards.club_id import club_value
from dbz.shards.deployment import Deployment, Document
from dbz.shards.journal import MoveJournal, old_copies
from dbz.shards.map import ShardMap

Order = Sequence[tuple[str, int]]
_TRIES = 5
_BATCH = 10_000
"""Documents that a shard sends at once at most."""
_PATH = re.compile(r"(?![$])[^.\s\x00\ud800-\udfff]+(\.(?![$])[^.\s\x00\ud800-\udfff]+)*").fullmatch
_DIRECTED = re.compile(r".*[:= ](-?1|asc|desc)", re.IGNORECASE).fullmatch


def query_all(
    deployment: Deployment,
    collection: str,
    wanted: Document,
    order: Order,
    skip: int,
    limit: int,
    current_map: Callable[[], ShardMap],
) -> list[Document]:
    """The documents `skip` to `skip + limit` of all shards together, as one collection would give them.

    Documents that are equal in `order` come by `_id`, so that pages fit together.
    """
    if collection not in deployment.file.collections:
        known = ", ".join(deployment.file.collections)
        raise UsageError(f"collection '{collection}' does not belong to clubs (known: {known})", code="H020")
    full_order = list(order) if any(path == "_id" for path, _ in order) else [*order, ("_id", 1)]
    for _ in range(_TRIES):
        before = current_map()
        found = _merged(deployment, collection, wanted, full_order, skip, limit, before)
        if current_map().epoch == before.epoch:
            return found
    raise DependencyError("clubs kept moving while the query ran", hint="try it again in a moment", code="H019")


def _merged(
    deployment: Deployment,
    collection: str,
    wanted: Document,
    order: Order,
    skip: int,
    limit: int,
    shard_map: ShardMap,
) -> list[Document]:
    club_field = deployment.file.collections[collection]
    copies = old_copies(MoveJournal(deployment.control).all())
    with ExitStack() as cursors, ThreadPoolExecutor(max_workers=len(shard_map.shards)) as asking:
        first: list[Future[Iterator[Document]]] = []
        for shard in shard_map.shards:
            foreign = [
                club_value(club) for club, where in copies if where == shard and shard_map.shard_of(club) != shard
            ]
            mine = {"$and": [wanted, {club_field: {"$nin": foreign}}]} if foreign else wanted
            with deployment.reaching(shard):
                cursor = deployment.shard(shard)[collection].find(mine).sort(list(order)).limit(skip + limit)
            cursor.batch_size(min(skip + limit, _BATCH))
            # All shards work at the same time: an answer takes as long as the slowest of them, not as all together.
            first.append(asking.submit(_begun, _reading(deployment, shard, cursors.enter_context(cursor))))
        streams = [stream.result() for stream in first]
        merged = heapq.merge(*streams, key=lambda document: sort_key(document, order))
        return list(itertools.islice(merged, skip, skip + limit))


def _begun(stream: Iterator[Document]) -> Iterator[Document]:
    """The stream once its first document, or its end, has arrived."""
    begin = list(itertools.islice(stream, 1))
    return itertools.chain(begin, stream)


def _reading(deployment: Deployment, shard: str, cursor: Any) -> Iterator[Document]:
    with deployment.reaching(shard):
        try:
            yield from cursor
        except OperationFailure as error:
            if why := refusal(error):
                raise UsageError(f"the store refuses the query: {why}", code="H020") from error
            raise


def parse_order(text: str) -> list[tuple[str, int]]:
    """The order in `-created_at,title`; `ValueError` for other texts."""
    order: dict[str, int] = {}
    for part in text.split(","):
        path = part.strip().removeprefix("-")
        if _DIRECTED(path):
            name = path.partition(":")[0]
            raise ValueError(f"'{part.strip()}' is not a field; write {name} for ascending, -{name} for descending")
        if not _PATH(path) or path in order:
            raise ValueError(f"'{text}' is not an order; write for example -created_at,title")
        order[path] = -1 if part.strip().startswith("-") else 1
    return list(order.items())
