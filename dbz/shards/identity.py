"""Each shard knows its name, so that a URI that leads to the wrong server is noticed before anything is moved."""

from __future__ import annotations

from collections.abc import Iterable

from dbz.errors import UsageError
from dbz.shards.deployment import IDENTITY, Deployment


def mark_shard(deployment: Deployment, name: str, owner: str) -> None:
    """Write a shard's name and deployment onto it; `UsageError` when it has others already."""
    check_shards(deployment, [name], owner)
    with deployment.reaching(name):
        deployment.identity(name).replace_one({"_id": IDENTITY}, {"shard": name, "deployment": owner}, upsert=True)


def check_shards(deployment: Deployment, names: Iterable[str], owner: str) -> None:
    """`UsageError` when a shard's URI leads to another shard, or to a shard of another deployment."""
    for name in names:
        with deployment.reaching(name):
            found = deployment.identity(name).find_one({"_id": IDENTITY})
        if found and (found["shard"], found["deployment"]) != (name, owner):
            whose = f"'{found['shard']}'" + ("" if found["deployment"] == owner else " of another deployment")
            raise UsageError(f"the URI of '{name}' ({deployment.file.shards[name]}) leads to {whose}")
