"""Carrying out moves in tests, and verifying afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbz.shards.control import Control
from dbz.shards.journal import Journal, Move
from dbz.shards.lease import hold_lease
from dbz.shards.mover import Options
from dbz.shards.plan import PlannedMove
from dbz.shards.rebalance import Rebalance
from dbz.shards.verifier import Progress, Verifier, missing_indexes
from dbz.shards.verify_copies import verify_copies
from tests.shards.stores import World

CLUBS = [f"club{number:02d}" for number in range(6)]
FAST: dict[str, Any] = {"rate_bytes_per_s": None}


@contextmanager
def working(world: World, **options: Any) -> Iterator[tuple[Rebalance, Control, Journal]]:
    with Control(world.deployment) as control, hold_lease(control.database) as lease:
        journal = Journal(control.database, lease)
        yield Rebalance(world.deployment, control, journal, Options(**{**FAST, **options})), control, journal


def findings(world: World) -> list[Any]:
    """Everything that a verification finds, or cannot check."""
    with Control(world.deployment) as control:
        found: list[Any] = [*Verifier(world.deployment, Progress("")).run(control.map(), control.map)]
        copies = verify_copies(world.deployment, control.map(), Journal(control.database).all())
        return [
            *found,
            *copies.findings,
            *copies.unchecked,
            *missing_indexes(world.deployment, control.map().shards),
        ]


def move_club(world: World, club: str, source: str, target: str) -> Move:
    """Move one club, to the end."""
    with working(world) as (work, _, journal):
        journal.add([PlannedMove(club, source, target, 0, 0)])
        (move,) = work.run().done
        return move
