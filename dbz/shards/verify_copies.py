"""Comparing both sides of moves: the copy being made, and the old copy that is kept for a rollback. Reads only."""

from __future__ import annotations

import time
from collections.abc import Sequence

from dbz.shards.compare import Difference, compare_club, compare_keys
from dbz.shards.deployment import Deployment
from dbz.shards.errors import HistoryLostError
from dbz.shards.journal import Move, State, last_moves
from dbz.shards.map import ShardMap
from dbz.shards.tail import Key, Tail
from dbz.shards.verifier import Finding, key_text

_ROUNDS = 6
_LAG_S = 0.1


def verify_copies(
    deployment: Deployment, shard_map: ShardMap, moves: Sequence[Move], clubs: Sequence[str] = ()
) -> list[Finding]:
    """What a copy lacks, has too much, or has differently, beside what was written since and is still to be applied.

    A copy whose history of changes the store no longer has cannot be judged so; it is left out.
    """
    findings: list[Finding] = []
    last = last_moves(moves)
    for move in moves:
        if clubs and move.club not in clubs:
            continue
        kept = last.get(move.club) == move and shard_map.shard_of(move.club) == move.target
        if move.state == State.REVERSING and move.reverse_token is not None and kept:
            findings += _findings(deployment, move.club, move.target, move.source, move.reverse_token)
        elif move.state in (State.VERIFIED, State.FENCED, State.DRAINED) and move.token is not None:
            findings += _findings(deployment, move.club, move.source, move.target, move.token)
    return findings


def _findings(deployment: Deployment, club: str, owner: str, copy: str, token: dict[str, object]) -> list[Finding]:
    try:
        found = settled_difference(deployment, club, owner, copy, token)
    except HistoryLostError:
        return []
    kinds = {"missing": found.missing, "extra": found.extra, "different": found.different}
    return [
        Finding(kind, collection, key_text(key), club, copy, f"compared with {owner}")
        for kind, keys in kinds.items()
        for collection, key in keys
    ]


def settled_difference(
    deployment: Deployment, club: str, owner: str, copy: str, token: dict[str, object]
) -> Difference:
    """How a copy differs from its owner's documents, without those that changed since `token`."""
    with Tail(deployment, owner, club, dict(token)) as tail:
        found = compare_club(deployment, club, owner, copy)
        for _ in range(_ROUNDS):
            tail.collect()
            keys: list[Key] = [key for key in found.keys() if key not in tail.dirty]  # noqa: SIM118 a method of ours
            if not keys:
                return Difference(same=found.same)
            time.sleep(_LAG_S)
            found = compare_keys(deployment, club, owner, copy, keys)
    return found
