"""The shard map in the control store: read, and replaced by compare-and-set on its epoch."""

from __future__ import annotations

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from dbz.errors import UsageError
from dbz.shards.deployment import Deployment, Document
from dbz.shards.map import ShardMap, legacy_map

MAP_COLLECTION = "shard_map"
MAP_ID = "map"
CHANNEL = "dbz:shards"
"""The Redis channel on which the number of a new epoch is told."""


def read_map(control: Database[Document]) -> ShardMap | None:
    """The map, or None before a deployment was adopted; `UsageError` for one of a newer dbz."""
    document = control[MAP_COLLECTION].find_one({"_id": MAP_ID})
    try:
        return ShardMap.from_document(document) if document else None
    except ValueError as error:
        raise UsageError(str(error), code="E013") from error


def current_map(deployment: Deployment) -> tuple[ShardMap, bool]:
    """The map in force, and whether the deployment was adopted; before that it is the app's own formula."""
    with deployment.reaching("the control store"):
        found = read_map(deployment.control)
    if found is None:
        return legacy_map(deployment.file.names[: deployment.file.shard_count]), False
    unknown = [name for name in found.shards if name not in deployment.file.shards]
    if unknown:
        raise UsageError(f"the map has shard '{unknown[0]}', which the shards file does not name", code="H003")
    return found, True


def create_map(control: Database[Document], first: ShardMap) -> bool:
    """Store the first map; False when there is one already."""
    try:
        control[MAP_COLLECTION].insert_one({"_id": MAP_ID, **first.document()})
    except DuplicateKeyError:
        return False
    return True


def replace_map(control: Database[Document], following: ShardMap) -> bool:
    """Put the map of the next epoch in place of its predecessor; False when that is not the map any more."""
    wanted = {"_id": MAP_ID, "deployment": following.deployment, "epoch": following.epoch - 1}
    done = control[MAP_COLLECTION].replace_one(wanted, following.document())
    return done.matched_count == 1
