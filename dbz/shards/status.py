"""What a deployment looks like now: shards, balance, moves and the servers that follow the map."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from dbz.shards.control import ROUTERS
from dbz.shards.deployment import Deployment
from dbz.shards.journal import KEPT, UNFINISHED, Move, MoveJournal, State
from dbz.shards.lease import holder
from dbz.shards.map_store import current_map
from dbz.shards.plan.balance import imbalance
from dbz.shards.plan.indexes import unindexed
from dbz.shards.plan.inventory import operations_per_s, take_inventory

SCHEMA = "dbz.shard-status/1"
_SHOWN = (*UNFINISHED, *KEPT, State.ABORTED)


@dataclass(frozen=True)
class ShardStatus:
    """One shard, and what the map has there."""

    name: str
    clubs: int
    docs: int
    bytes: int
    slots: int
    ops_per_s: float | None
    """Operations a second of its server; None when it does not tell."""
    old_copies: int
    """Clubs that lie there, and that the map has elsewhere."""


@dataclass(frozen=True)
class MoveStatus:
    """One move."""

    id: str
    club: str
    source: str
    target: str
    state: str
    docs: int
    bytes: int
    copied_bytes: int
    block_ms: float | None
    retries: int
    reason: str
    changed_at: str


@dataclass(frozen=True)
class Status:
    """A deployment."""

    adopted: bool
    deployment: str
    epoch: int
    shards: tuple[ShardStatus, ...]
    imbalance: float
    """The heaviest shard over the mean, by bytes."""
    moves: tuple[MoveStatus, ...]
    """Those that are not finished, whose old copy is kept, or that were given up."""
    mover: str | None
    """Who moves clubs now, in words."""
    followers: int
    """Server processes that follow the map."""
    behind: int
    """Those of them that have not seen the newest map."""
    warnings: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """As JSON, with its schema."""
        return {"schema": SCHEMA, **asdict(self)}


def status_of(deployment: Deployment) -> Status:
    """Read the status; nothing is written."""
    shard_map, adopted = current_map(deployment)
    inventory = take_inventory(deployment, shard_map.shards)
    ops = operations_per_s(deployment, shard_map.shards)
    astray = inventory.astray(shard_map)
    owners = shard_map.owners()
    shards = []
    for name in shard_map.shards:
        held = [size for club, size in inventory.shards[name].items() if shard_map.shard_of(club) == name]
        docs, size_bytes = sum(size.docs for size in held), sum(size.bytes for size in held)
        copies = sum(shard == name for _, shard in astray)
        shards.append(ShardStatus(name, len(held), docs, size_bytes, owners.count(name), ops[name], copies))
    with deployment.reaching("the control store"):
        moves = MoveJournal(deployment.control).all()
        routers = list(deployment.control[ROUTERS].find())
        mover = holder(deployment.control)
    return Status(
        adopted=adopted,
        deployment=shard_map.deployment,
        epoch=shard_map.epoch,
        shards=tuple(shards),
        imbalance=imbalance([shard.bytes for shard in shards]),
        moves=tuple(_move(move) for move in moves if move.state in _SHOWN),
        mover=mover,
        followers=len(routers),
        behind=sum(router["epoch"] < shard_map.epoch for router in routers),
        warnings=tuple(str(one) for one in unindexed(deployment, shard_map.shards)),
    )


def _move(move: Move) -> MoveStatus:
    return MoveStatus(
        id=move.id,
        club=move.club,
        source=move.source,
        target=move.target,
        state=str(move.state),
        docs=move.docs,
        bytes=move.bytes,
        copied_bytes=move.copied_bytes,
        block_ms=move.block_ms,
        retries=move.retries,
        reason=move.reason,
        changed_at=move.changed_at.isoformat(timespec="seconds"),
    )
