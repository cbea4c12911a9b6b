"""What speaks against carrying out a plan as a whole, found before anything is touched."""

from __future__ import annotations

from dbz.errors import UsageError
from dbz.shards.deployment import Deployment
from dbz.shards.move.disk_room import rooms_needed
from dbz.shards.plan.document import MovePlan
from dbz.shards.plan.indexes import advice, unindexed


def refuse_unready(deployment: Deployment, plan: MovePlan, *, force: bool) -> None:
    """`UsageError` when a target lacks room for all that comes, or a large collection the index to find a club by.

    With `force` the index is not asked for.
    """
    full = rooms_needed(deployment, plan.moves)
    if full:
        raise UsageError("\n".join(full), hint="make room, or plan fewer moves")
    sources = dict.fromkeys(move.source for move in plan.moves)
    large = [] if force else [one for one in unindexed(deployment, sources) if one.is_large]
    if large:
        hint = f"{advice(large)}; or give --force"
        raise UsageError("\n".join(f"{one}, for each of {len(plan.moves):,} clubs" for one in large), hint=hint)
