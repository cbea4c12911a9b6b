"""Writes a second of each club, counted from the change streams of the shards for a while."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbz.shards.club_id import at, club_text
from dbz.shards.deployment import Deployment

_AWAIT_MS = 100


def writes_per_s(deployment: Deployment, shards: Iterable[str], over_s: float) -> Mapping[str, float]:
    """Writes a second of each club that was written; deletions do not say whose they were, and are not counted."""
    names = list(shards)
    counts: Counter[str] = Counter()
    with ThreadPoolExecutor(max(1, len(names))) as pool:
        for found in pool.map(lambda shard: _of_shard(deployment, shard, over_s), names):
            counts.update(found)
    return {club: count / over_s for club, count in counts.items()}


def _of_shard(deployment: Deployment, shard: str, over_s: float) -> Counter[str]:
    fields = deployment.file.collections
    wanted = {"ns.coll": {"$in": list(fields)}, "operationType": {"$in": ["insert", "update", "replace"]}}
    shown = {"ns": 1, **{f"fullDocument.{field}": 1 for field in set(fields.values())}}
    pipeline: list[dict[str, Any]] = [{"$match": wanted}, {"$project": shown}]
    counts: Counter[str] = Counter()
    with deployment.reaching(shard):
        database = deployment.shard(shard)
        with database.watch(pipeline, full_document="updateLookup", max_await_time_ms=_AWAIT_MS) as stream:
            end = time.monotonic() + over_s
            while time.monotonic() < end:
                change = stream.try_next()
                if change is None:
                    continue
                club = club_text(at(change.get("fullDocument") or {}, fields[change["ns"]["coll"]]))
                if club is not None:
                    counts[club] += 1
    return counts
