"""Taking over a deployment that uses the app's own formula: the map that says the same, and nothing moved."""

from __future__ import annotations

import secrets

from dbz.errors import UsageError
from dbz.shards.deployment import Deployment, check_shards, mark_shard
from dbz.shards.map import ShardMap, legacy_map
from dbz.shards.map_store import create_map, read_map
from dbz.shards.plan.inventory import Inventory, take_inventory

_SHOWN = 5


def adopt(deployment: Deployment) -> tuple[ShardMap, Inventory, bool]:
    """The map, what lies where, and whether it is new; adopting an adopted deployment changes nothing.

    `UsageError` when clubs do not lie where the formula leads, which means that the app uses another one.
    """
    with deployment.reaching("the control store"):
        found = read_map(deployment.control)
    names = found.shards if found else deployment.file.names[: deployment.file.shard_count]
    shard_map = found or legacy_map(names, secrets.token_hex(8), 1)
    check_shards(deployment, names, found.deployment if found else "")
    inventory = take_inventory(deployment, names)
    if found:
        return found, inventory, False
    inventory.refuse_nameless()
    _check_places(inventory, shard_map)
    with deployment.reaching("the control store"):
        created = create_map(deployment.control, shard_map)
    if not created:
        raise UsageError("another process adopted this deployment at the same moment; run it again", code="H005")
    for name in names:
        mark_shard(deployment, name, shard_map.deployment)
    return shard_map, inventory, True


def _check_places(inventory: Inventory, shard_map: ShardMap) -> None:
    astray = sorted(inventory.astray(shard_map))
    if not astray:
        return
    clubs = sum(map(len, inventory.shards.values()))
    examples = ", ".join(f"'{club}' on {shard}, not {shard_map.shard_of(club)}" for club, shard in astray[:_SHOWN])
    raise UsageError(
        f"{len(astray):,} of {clubs:,} clubs do not lie where the app's formula leads: {examples}",
        hint="is shard_count that of the app, and the order of the shards? "
        "About (N-1)/N of all clubs astray means another hash, or one that differs between processes",
        code="H005",
    )
