"""Comparing copies of clubs with the clubs themselves, beside what was written since. Reads only, unless told else.

Two histories explain how an old copy differs from its club. The owner's has what was changed since the move: that
may differ. The history of the copy's own shard has what was written to the copy since: nobody who follows the map
did that, so it is named, also where the owner changed the same document. What no history explains any more is
neither right nor wrong; it is said to be unchecked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from dbz.shards.changes import ChangeTail, Key
from dbz.shards.copies.compare import ClubDifference, compare_club, compare_keys
from dbz.shards.copies.expiry import Expiry
from dbz.shards.copies.listing import Copy, copies_of
from dbz.shards.copies.verify_places import Finding, Unchecked, key_text
from dbz.shards.deployment import Deployment, Document
from dbz.shards.errors import FenceOverrunError, HistoryLostError
from dbz.shards.journal import Move
from dbz.shards.map import ShardMap

_ROUNDS = 6
_LAG_S = 0.1
_PATIENCE_S = 60.0

Settle = Callable[[ChangeTail], bool]
"""Takes all changes that a stream has until now; whether it got to the end."""


@dataclass
class Judgement:
    """What is wrong about copies, and what could not be told; `notes` say what is not to be compared yet."""

    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Judgement) -> None:
        """Take over another one's."""
        self.findings += other.findings
        self.unchecked += other.unchecked
        self.notes += other.notes


def verify_copies(
    deployment: Deployment, shard_map: ShardMap, moves: Sequence[Move], clubs: Sequence[str] = ()
) -> Judgement:
    """What copies lack, have too much, or have differently, beside what was written since and is to be applied yet."""
    wanted = [move for move in moves if not clubs or move.club in clubs]
    found = copies_of(wanted, shard_map)
    judgement = Judgement()
    for copy in found.judged:
        judgement.add(judge(deployment, copy, by_reading))
    judgement.unchecked += [taken_elsewhere(move, shard_map) for move in found.foreign]
    judgement.notes += [
        f"{move.id}: the copy of '{move.club}' on {move.target} is still being made; the move compares it itself"
        for move in found.growing
    ]
    return judgement


def taken_elsewhere(move: Move, shard_map: ShardMap) -> Unchecked:
    """What to say of an old copy whose club did not get by a move to where it is."""
    reason = f"the map was changed by hand: the club is on {shard_map.shard_of(move.club)}, and no move took it there"
    return Unchecked(move.club, move.source, move.id, reason)


def by_reading(tail: ChangeTail) -> bool:
    """Settle without writing anything."""
    return tail.collect_seen(_PATIENCE_S)


def by_marker(tail: ChangeTail) -> bool:
    """Settle for certain, by writing a marker."""
    try:
        tail.collect_all(time.monotonic() + _PATIENCE_S)
    except FenceOverrunError:
        return False
    return True


def judge(deployment: Deployment, copy: Copy, settle: Settle) -> Judgement:
    """Compare a copy with its club, and explain what differs."""
    club = copy.move.club
    with ExitStack() as streams:
        changes = _Histories(deployment, club, copy.changes, streams)
        writes = _Histories(deployment, club, ((copy.shard, copy.writes),) if copy.writes else (), streams)
        found = compare_club(deployment, club, copy.owner, copy.shard)
        expiry = Expiry(deployment, copy.shard, copy.owner)
        for _ in range(_ROUNDS):
            changes.settle(settle)
            writes.settle(settle)
            found = expiry.without_expired(found, changes.keys)
            unexplained = [key for key in _keys(found, copy) if key not in changes.keys and key not in writes.keys]
            if not unexplained or changes.lost:
                break
            # Both sides were not read at one instant: what is written just now comes with the next look.
            time.sleep(_LAG_S)
            again = compare_keys(deployment, club, copy.owner, copy.shard, unexplained)
            found = _without(found, unexplained, again)
        found = expiry.without_expired(found, changes.keys)
    return _verdict(copy, found, changes, writes)


class _Histories:
    """Ids that changed, from one or several streams."""

    def __init__(
        self,
        deployment: Deployment,
        club: str,
        positions: Iterable[tuple[str, Document | None]],
        streams: ExitStack,
    ) -> None:
        self.lost = ""
        """Why `keys` are not all; empty when they are."""
        self.keys: set[Key] = set()
        self._tails: list[tuple[str, ChangeTail]] = []
        for shard, token in positions:
            if token is None:
                self.lost = f"{shard} gave no position in its history"
                continue
            try:
                self._tails.append((shard, streams.enter_context(ChangeTail(deployment, shard, club, dict(token)))))
            except HistoryLostError:
                self.lost = f"{shard} no longer has the history of changes since then"

    def settle(self, settle: Settle) -> None:
        """Read every stream up to now.

        A stream that ends early, or is too busy to be read up, must not look like one in which nothing happened: the
        ids that it gave are kept, and `lost` makes of every difference that they do not explain an unchecked one.
        """
        for shard, tail in self._tails:
            try:
                if not settle(tail):
                    self.lost = f"{shard} has more changes than could be read in {_PATIENCE_S:.0f} s"
            except HistoryLostError:
                self.lost = f"{shard} no longer has the history of changes since then"
            self.keys |= set(tail.dirty)


def _keys(found: ClubDifference, copy: Copy) -> list[Key]:
    return found.keys() if copy.whole else [*found.extra, *found.different]


def _without(found: ClubDifference, keys: Collection[Key], again: ClubDifference) -> ClubDifference:
    """`found`, with what was found again about some of its keys."""
    seen = set(keys)
    kinds = {
        kind: [key for key in getattr(found, kind) if key not in seen] + getattr(again, kind)
        for kind in ("missing", "extra", "different")
    }
    return ClubDifference(**kinds, same=found.same + again.same)


def _verdict(copy: Copy, found: ClubDifference, changes: _Histories, writes: _Histories) -> Judgement:
    judged = _keys(found, copy)
    strays = {key for key in judged if key in writes.keys}
    changed = {key for key in judged if key in changes.keys and key not in strays}
    rest = [key for key in judged if key not in strays and key not in changed]
    judgement = Judgement(_findings(copy, found, strays, f"written to {copy.shard} after the club had left it"))
    if not changes.lost:
        judgement.findings += _findings(copy, found, set(rest), f"compared with {copy.owner}")
    elif rest:
        reason = f"{len(rest):,} documents differ from those on {copy.owner}, and {changes.lost}"
        judgement.unchecked.append(Unchecked(copy.move.club, copy.shard, copy.move.id, reason))
    blind = writes.lost or ("" if copy.writes else "an undone move wrote to this copy, too")
    if copy.old and changed and blind:
        reason = (
            f"{len(changed):,} documents were changed on {copy.owner} since; whether somebody wrote them here as well "
            f"cannot be told: {blind}"
        )
        judgement.unchecked.append(Unchecked(copy.move.club, copy.shard, copy.move.id, reason))
    return judgement


def _findings(copy: Copy, found: ClubDifference, keys: Collection[Key], detail: str) -> list[Finding]:
    return [
        Finding(kind, key[0], key_text(key[1]), copy.move.club, copy.shard, detail)
        for kind in ("missing", "extra", "different")
        for key in getattr(found, kind)
        if key in keys
    ]
