"""Carrying out moves in tests, and verifying afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbz.shards.control import Control
from dbz.shards.copies.verify_copies import verify_copies
from dbz.shards.copies.verify_places import Progress, Verifier, unlike_shards
from dbz.shards.journal import Move, MoveJournal
from dbz.shards.lease import hold_lease
from dbz.shards.move.mover import MoveOptions
from dbz.shards.move.rebalance import Rebalance
from dbz.shards.plan.document import PlannedMove
from tests.shards.stores import World

CLUBS = [f"club{number:02d}" for number in range(6)]
FAST: dict[str, Any] = {"rate_bytes_per_s": None, "max_fence_s": 10.0}
"""Moves whose writes wait for as long as a busy machine takes: none is lost, however soon it may go on."""


@contextmanager
def working(world: World, **options: Any) -> Iterator[tuple[Rebalance, Control, MoveJournal]]:
    with Control(world.deployment) as control, hold_lease(control.database) as lease:
        journal = MoveJournal(control.database, lease)
        yield Rebalance(world.deployment, control, journal, MoveOptions(**{**FAST, **options})), control, journal


def findings(world: World) -> list[Any]:
    """Everything that a verification finds, or cannot check."""
    with Control(world.deployment) as control:
        found: list[Any] = [*Verifier(world.deployment, Progress("")).run(control.map(), control.map)]
        copies = verify_copies(world.deployment, control.map(), MoveJournal(control.database).all())
        return [
            *found,
            *copies.findings,
            *copies.unchecked,
            *unlike_shards(world.deployment, control.map().shards),
        ]


def move_club(world: World, club: str, source: str, target: str) -> Move:
    """Move one club, to the end."""
    with working(world) as (work, _, journal):
        journal.add([PlannedMove(club, source, target, 0, 0)])
        (move,) = work.run().done
        return move
