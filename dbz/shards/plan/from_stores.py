"""Making a plan from what is there now: the map, every club's size, and how fast its documents can be read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from dbz.shards.club_id import readings
from dbz.shards.deployment import Deployment
from dbz.shards.map import ShardMap
from dbz.shards.map_store import current_map
from dbz.shards.plan.disk_room import lacks_of_room
from dbz.shards.plan.document import MovePlan, Request, Weight
from dbz.shards.plan.estimate import expected_costs, mixes_of
from dbz.shards.plan.indexes import unindexed
from dbz.shards.plan.inventory import Inventory, take_inventory
from dbz.shards.plan.planner import make_plan
from dbz.shards.shapes import obstacles


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
    for name in (*request.add, *request.drain, *request.pin.values(), *request.move.values()):
        deployment.file.known(name, "shard")
    shard_map, _ = current_map(deployment)
    inventory = take_inventory(deployment, shard_map.shards)
    inventory.refuse_nameless()
    for name in request.add:
        with deployment.reaching(name):
            deployment.shard(name).command("ping")
    weights = weigh(inventory, shard_map, ops)
    pin = {_meant(club, weights): shard for club, shard in request.pin.items()}
    move = {_meant(club, weights): shard for club, shard in request.move.items()}
    plan = make_plan(shard_map, weights, replace(request, pin=pin, move=move))
    if plan.moves:
        largest = max(plan.moves, key=lambda move: move.bytes)
        costs = expected_costs(deployment, largest)
        if costs is not None:
            mixes = mixes_of(deployment, [move.source for move in plan.moves])
            seconds, copying_s = costs.seconds(plan.moves, mixes, rate_bytes_per_s)
            plan = plan.at_rate(plan.bytes / max(copying_s, 1e-9), seconds, costs.measured)
    sources = dict.fromkeys(move.source for move in plan.moves)
    slow = [str(one) for one in unindexed(deployment, sources)]
    obstructed = obstacles(deployment, [(move.source, move.target) for move in plan.moves])
    refused = [f"this plan will be refused: {obstacle}" for obstacle in obstructed]
    return replace(plan, warnings=(*refused, *slow, *lacks_of_room(deployment, plan.moves)))


def _meant(typed: str, clubs: Collection[str]) -> str:
    """The club that somebody means who types `42`, or an ObjectId's digits: a text before all others."""
    return next((reading for reading in readings(typed) if reading in clubs), typed)
