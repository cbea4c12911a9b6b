"""Removing the old copies of moved clubs, after a waiting time and a fresh comparison, document by document."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dbz.shards.clearing import remove_keys
from dbz.shards.compare import Difference, compare_club, compare_keys
from dbz.shards.control import Control
from dbz.shards.copying import Copier, Pace
from dbz.shards.deployment import Deployment
from dbz.shards.errors import HistoryLostError
from dbz.shards.journal import Journal, Move, State, last_moves
from dbz.shards.tail import Key, Tail
from dbz.shards.verifier import Finding, key_text

_ROUNDS = 5
_PATIENCE_S = 30.0


@dataclass
class Cleaned:
    """What became of the old copies: moves that are cleaned, and what was left because it is nowhere else."""

    cleaned: list[Move] = field(default_factory=list)
    removed: int = 0
    strays: list[Finding] = field(default_factory=list)
    waiting: list[Move] = field(default_factory=list)


def due(journal: Journal, after_s: float) -> tuple[list[Move], list[Move]]:
    """Moves whose old copy has waited long enough, and those whose has not."""
    moves = journal.in_states(State.REVERSING)
    limit = datetime.now(UTC) - timedelta(seconds=after_s)
    return [move for move in moves if move.changed_at <= limit], [move for move in moves if move.changed_at > limit]


def clean(deployment: Deployment, control: Control, journal: Journal, move: Move, *, discard: bool) -> Cleaned:
    """Remove the old copy of a move.

    First it is brought up to date with all that was written since; a document that then still differs from the
    club's own was written to the old shard by somebody who does not follow the map. It is named, and stays, unless
    `discard` says that it may go. The same holds when the store no longer knows what was written since.
    """
    owner = control.map().shard_of(move.club)
    last = last_moves(journal.all())[move.club]
    if last.id != move.id:
        # It was moved again, so nothing brings this copy up to date any more; nor could anybody roll back to it.
        in_use = move.source in (owner, last.source)
        removed = 0 if in_use else _remove(deployment, move, set())
        return Cleaned([journal.advance(move, State.CLEANED)], removed)
    if owner != move.target:
        return Cleaned()  # somebody changed the map by hand
    strays = _bring_up_to_date(deployment, move)
    keep = set() if discard else set(strays.extra) | set(strays.different)
    kinds = {**dict.fromkeys(strays.extra, "extra"), **dict.fromkeys(strays.different, "different")}
    found = [Finding(kinds[key], key[0], key_text(key[1]), move.club, move.source, "not from the map") for key in keep]
    removed = _remove(deployment, move, keep)
    if keep:
        return Cleaned([], removed, found)
    return Cleaned([journal.advance(move, State.CLEANED)], removed, [])


def _remove(deployment: Deployment, move: Move, keep: set[Key]) -> int:
    there: list[Key] = []
    for collection, club_field in deployment.file.collections.items():
        rows = deployment.raw(move.source)[collection].find({club_field: move.club}, {"_id": 1})
        there += [(collection, row.raw) for row in rows]
    return remove_keys(deployment, move.club, move.source, [key for key in there if key not in keep])


def _bring_up_to_date(deployment: Deployment, move: Move) -> Difference:
    """Apply what was written since the flip to the old copy; how it differs from the club's own all the same."""
    back = Copier(deployment, move.club, move.target, move.source, Pace(None))
    where = (move.club, move.target, move.source)
    try:
        with Tail(deployment, move.target, move.club, move.reverse_token) as tail:
            found = compare_club(deployment, *where)
            for _ in range(_ROUNDS):
                tail.collect_all(time.monotonic() + _PATIENCE_S)
                back.refresh(list(tail.dirty))
                found = compare_keys(deployment, *where, found.keys())
                if not found.keys():
                    break
            return found
    except HistoryLostError:
        return compare_club(deployment, *where)
