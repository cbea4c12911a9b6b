"""Making a plan from what is there now: the map, every club's size, and how fast its documents can be read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dbz.shards.deployment import Deployment
from dbz.shards.map import ShardMap
from dbz.shards.map_store import current_map
from dbz.shards.plan.disk_room import lacks_of_room
from dbz.shards.plan.document import MovePlan, PlannedMove, Request, Weight
from dbz.shards.plan.indexes import unindexed
from dbz.shards.plan.inventory import Inventory, take_inventory
from dbz.shards.plan.planner import make_plan

_SAMPLE_DOCS = 500
_READ_AND_WRITTEN = 2  # each document is read once and written once; the writing was not measured


def weigh(inventory: Inventory, shard_map: ShardMap, ops: Mapping[str, float] | None = None) -> dict[str, Weight]:
    """Every club's weight where the map has it."""
    counted = ops or {}
    return {
        club_id: Weight(size.docs, size.bytes, counted.get(club_id, 0.0))
        for club_id, size in inventory.placed(shard_map).items()
    }


def plan_now(
    deployment: Deployment, request: Request, rate_bytes_per_s: float | None, ops: Mapping[str, float] | None = None
) -> MovePlan:
    """A plan for a request, from the stores as they are; nothing is written.

    `rate_bytes_per_s` is the highest rate allowed, None without a limit. `UsageError` for what cannot be placed.
    """
    for name in (*request.add, *request.drain, *request.pin.values()):
        deployment.file.known(name, "shard")
    shard_map, _ = current_map(deployment)
    inventory = take_inventory(deployment, shard_map.shards)
    inventory.refuse_nameless()
    for name in request.add:
        with deployment.reaching(name):
            deployment.shard(name).command("ping")
    plan = make_plan(shard_map, weigh(inventory, shard_map, ops), request)
    rate = _copy_rate(deployment, plan.moves)
    if rate is not None and rate_bytes_per_s is not None:
        rate = min(rate, rate_bytes_per_s)
    sources = dict.fromkeys(move.source for move in plan.moves)
    slow = [str(one) for one in unindexed(deployment, sources)]
    return replace(plan.at_rate(rate), warnings=(*slow, *lacks_of_room(deployment, plan.moves)))


def _copy_rate(deployment: Deployment, moves: Sequence[PlannedMove]) -> float | None:
    """Bytes a second at which documents could be copied, by reading some of the first move's."""
    if not moves:
        return None
    largest = max(moves, key=lambda move: move.bytes)
    begin, read = time.perf_counter(), 0
    with deployment.reaching(largest.source):
        for collection, club_field in deployment.file.collections.items():
            found = deployment.raw(largest.source)[collection].find({club_field: largest.club}).limit(_SAMPLE_DOCS)
            read += sum(len(document.raw) for document in found)
    return read / (time.perf_counter() - begin) / _READ_AND_WRITTEN or None
