"""Removing the old copies of moved clubs, after a waiting time and a fresh comparison, document by document."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dbz.shards.changes import Key
from dbz.shards.club_id import club_value
from dbz.shards.control import Control
from dbz.shards.copies.listing import Copy, copies_of
from dbz.shards.copies.removal import remove_keys
from dbz.shards.copies.store_guard import guard_copies
from dbz.shards.copies.verify_copies import Judgement, by_marker, judge, taken_elsewhere
from dbz.shards.deployment import Deployment
from dbz.shards.journal import KEPT, Move, MoveJournal, State


@dataclass
class Cleaned:
    """What became of old copies: moves that are cleaned, documents removed, and why other copies were left."""

    cleaned: list[Move] = field(default_factory=list)
    removed: int = 0
    left: Judgement = field(default_factory=Judgement)

    def add(self, other: Cleaned) -> None:
        """Take over another one's."""
        self.cleaned += other.cleaned
        self.removed += other.removed
        self.left.add(other.left)


def due(journal: MoveJournal, after_s: float) -> tuple[list[Move], list[Move]]:
    """Moves whose old copy has waited long enough, or is half gone already, and those whose has not."""
    moves = journal.in_states(*KEPT)
    limit = datetime.now(UTC) - timedelta(seconds=after_s)
    ready = [move for move in moves if move.changed_at <= limit or move.state == State.CLEANING]
    return ready, [move for move in moves if move not in ready]


def clean(deployment: Deployment, control: Control, journal: MoveJournal, move: Move, *, discard: bool) -> Cleaned:
    """Remove the old copy of a move.

    A document in it that no write through the map explains was written past the map, and may be nowhere else: it is
    named, and the whole copy stays, unless `discard` says that it may go. The same holds where the stores no longer
    have the history that would tell.
    """
    shard_map = control.map()
    found = copies_of(journal.all(), shard_map)
    if any(one.id == move.id for one in found.foreign):
        return Cleaned(left=Judgement(unchecked=[taken_elsewhere(move, shard_map)]))
    copy = found.left_by(move)
    if copy is None:
        # The club came back to this shard, or left it again since: this move's copy is in use, or another's.
        return Cleaned([journal.advance(move, State.CLEANED)])
    keys = _keys(deployment, copy)  # before the look: what somebody inserts after it is not removed
    left = Judgement() if discard else judge(deployment, copy, by_marker)
    if left.findings or left.unchecked:
        return Cleaned(left=left)
    move = journal.advance(move, State.CLEANING) if move.state != State.CLEANING else move
    removed = remove_keys(deployment, move.club, copy.shard, keys)
    move = journal.advance(move, State.CLEANED)
    guard_copies(deployment, journal, shard_map, copy.shard)
    return Cleaned([move], removed)


def unexplained(deployment: Deployment, control: Control, journal: MoveJournal, move: Move) -> Judgement:
    """What in the old copy of a move no write through the map explains. Writes a marker to the shards."""
    copy = copies_of(journal.all(), control.map()).left_by(move)
    return judge(deployment, copy, by_marker) if copy is not None else Judgement()


def _keys(deployment: Deployment, copy: Copy) -> list[Key]:
    return [
        (collection, row.raw)
        for collection, club_field in deployment.file.collections.items()
        for row in deployment.raw(copy.shard)[collection].find({club_field: club_value(copy.move.club)}, {"_id": 1})
    ]
