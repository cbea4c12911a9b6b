"""The copies of clubs that lie where the map does not lead: old ones that moves left, and new ones being made.

Purely from the journal and the map: where each lies, and which histories of changes tell what may differ in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dbz.shards.deployment import Document
from dbz.shards.journal import KEPT, SWITCHED, Move, State
from dbz.shards.map import ShardMap

_COMPLETE = frozenset({State.VERIFIED, State.FENCED, State.DRAINED, State.FLIPPED})
_GROWING = frozenset({State.COPYING, State.TAILING})


@dataclass(frozen=True)
class Copy:
    """A copy on `shard` of a club that lies on `owner`."""

    move: Move
    """The move that made it, or left it behind."""
    shard: str
    owner: str
    changes: tuple[tuple[str, Document | None], ...]
    """(shard, position in its change stream), from which on the club may have changed without its copy."""
    writes: Document | None
    """The position in the change stream of the copy's own shard after which nobody may have written to it.

    None when there is none, or when dbz wrote to it after that.
    """
    whole: bool
    """Whether no document may lack."""
    old: bool
    """Whether a move left it behind, so that nobody should write to it any more."""


@dataclass(frozen=True)
class Copies:
    """Copies that can be judged; moves whose copy is still being made, and whose club somebody else took elsewhere."""

    judged: tuple[Copy, ...]
    growing: tuple[Move, ...]
    foreign: tuple[Move, ...]

    def left_by(self, move: Move) -> Copy | None:
        """The old copy that a move left behind, if it is one still."""
        return next((copy for copy in self.judged if copy.old and copy.move.id == move.id), None)


def copies_of(moves: Sequence[Move], shard_map: ShardMap) -> Copies:
    """The copies of a deployment; `moves` is its whole journal, in order."""
    by_club: dict[str, list[Move]] = {}
    for move in moves:
        by_club.setdefault(move.club, []).append(move)
    judged: list[Copy] = []
    growing: list[Move] = []
    foreign: list[Move] = []
    for club, of_club in by_club.items():
        owner = shard_map.shard_of(club)
        growing += [move for move in of_club if move.state in _GROWING]
        for found in _of_club(of_club, owner):
            if found.owner == owner:
                judged.append(found)
            else:
                foreign.append(found.move)
    return Copies(tuple(judged), tuple(growing), tuple(foreign))


def _of_club(moves: Sequence[Move], owner: str) -> Iterator[Copy]:
    for at, move in enumerate(moves):
        later = moves[at + 1 :]
        if move.state in KEPT or (move.state == State.FLIPPED and owner == move.target):
            if (copy := _old(move, later, owner)) is not None:
                yield copy
        elif move.state in _COMPLETE:
            yield Copy(move, move.target, move.source, ((move.source, move.token),), None, whole=True, old=False)


def _old(move: Move, later: Sequence[Move], owner: str) -> Copy | None:
    """The copy that a move left behind; None when the club came back to it, or left it again since."""
    since = [one for one in later if one.state in SWITCHED]
    if move.source == owner or any(one.source == move.source for one in since):
        return None
    chain = (move, *since)
    # A later move onto this copy, undone or under way, wrote to it, and may have taken documents away.
    overwritten = any(one.target == move.source and one.state != State.PLANNED for one in later)
    return Copy(
        move,
        shard=move.source,
        owner=chain[-1].target,
        changes=tuple((one.target, one.reverse_token) for one in chain),
        writes=None if overwritten else move.token,
        whole=not overwritten and move.state != State.CLEANING,
        old=True,
    )
