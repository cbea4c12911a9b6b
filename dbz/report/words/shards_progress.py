"""What a running rebalance says of itself: sentences that all views share, and JSON."""

from __future__ import annotations

from dbz.shards.journal import State
from dbz.shards.move.progress import Current, MovePhase, MoveStanding
from dbz.shards.move.rebalance import MoveOutcome
from dbz.shards.move.throttle import Slowed
from dbz.units import counted, format_bytes, format_duration, format_ms

SCHEMA = "dbz.shard-progress/1"

_PAUSED_AT = {
    MovePhase.CHECKING: "about to be copied",
    MovePhase.COPYING: "partly copied",
    MovePhase.FOLLOWING: "copied and followed",
    MovePhase.VERIFYING: "copied, not verified",
    MovePhase.POSTPONED: "copied and verified",
    MovePhase.SWITCHING: "copied and verified",
    MovePhase.WAITING: "waiting for the window",
}
_MEASURED = (MovePhase.COPYING, MovePhase.VERIFYING)


def share_of(current: Current) -> float | None:
    """How much of its phase a move has done; None where that is not measured."""
    if current.phase not in _MEASURED or not current.bytes_total:
        return None
    return min(1.0, current.bytes_done / current.bytes_total)


def total_text(now: MoveStanding) -> str:
    """All moves: how many, how much, and the time left."""
    parts = [f"{now.done} of {now.moves} clubs"]
    if now.bytes_total:
        parts.append(f"{format_bytes(now.bytes_done)} of {format_bytes(now.bytes_total)}")
    return ", ".join([*parts, *left_texts(now.left_s, now.left_between_s)])


def move_texts(current: Current, bytes_per_s: float | None) -> list[str]:
    """The move in hand: how far its phase is, how fast, and the time left."""
    parts = []
    if share_of(current) is not None:
        parts.append(f"{format_bytes(current.bytes_done)} of {format_bytes(current.bytes_total)}")
    if current.phase == MovePhase.COPYING and bytes_per_s is not None:
        parts.append(f"{format_bytes(bytes_per_s)}/s")
    if current.phase == MovePhase.WAITING:
        parts.append("until the window opens, or it is told to go on")
    if current.phase == MovePhase.POSTPONED:
        parts.append("until dbz shard control switch")
    return [*parts, *left_texts(current.left_s)]


def lag_text(current: Current) -> str:
    """How far the target is behind the source."""
    docs = {0: "nothing", 1: "1 changed document"}.get(
        current.lag_changes, f"{current.lag_changes:,} changed documents"
    )
    return f"{format_duration(round(current.lag_s, 1))}, {docs} to bring over"


def slowed_text(slowed: Slowed) -> str:
    """Why copying is slower than it may be."""
    return (
        f"slowed down to {format_bytes(slowed.limit_bytes_per_s)}/s: {slowed.shard} answers in "
        f"{format_ms(slowed.latency_ms)} instead of {format_ms(slowed.usual_ms)}"
    )


def left_texts(left_s: float | None, between_s: tuple[float, float] | None = None) -> list[str]:
    """The time left, when it is known; a range where copying gives way."""
    if left_s is None:
        return []
    ends = [format_duration(round(one) if one >= 1 else 1.0) for one in between_s or (left_s,)]
    return [f"{'–'.join(dict.fromkeys(ends))} left"]


def standing_line(now: MoveStanding) -> str:
    """Everything on one line, short enough for 80 columns where names are."""
    head = [
        f"{format_duration(round(now.elapsed_s))}  {now.done}/{now.moves} clubs",
        *left_texts(now.left_s, now.left_between_s),
    ]
    parts = []
    if (one := now.current) is not None:
        share = share_of(one)
        parts.append(f"{one.move.club} {one.phase}" + ("" if share is None else f" {share:.0%}"))
        if one.phase == MovePhase.COPYING and now.copy_bytes_per_s is not None:
            parts.append(f"{format_bytes(now.copy_bytes_per_s)}/s")
        room = now.left_between_s is None
        behind = f" ({one.lag_changes:,} docs)" if one.lag_changes and room else ""
        parts.append(f"lag {format_duration(round(one.lag_s, 1))}{behind}")
        if now.beside:
            parts.append(f"and {counted(len(now.beside), 'club')} beside it")
    return "; ".join(", ".join(texts) for texts in (head, parts) if texts)


def standing_document(now: MoveStanding) -> dict[str, object]:
    """A moment of a rebalance as JSON: bytes, seconds, bytes a second."""
    slowed = now.slowed
    in_hand = [_move_document(one) for one in now.in_hand]
    return {
        "schema": SCHEMA,
        "elapsed_s": round(now.elapsed_s, 1),
        "moves": now.moves,
        "moves_done": now.done,
        "moves_given_up": len(now.ended) - now.done,
        "bytes": now.bytes_total,
        "bytes_done": now.bytes_done,
        "copy_bytes_per_s": _rounded(now.copy_bytes_per_s),
        "left_s": _rounded(now.left_s),
        "left_between_s": None if now.left_between_s is None else [_rounded(one) for one in now.left_between_s],
        "move": in_hand[0] if in_hand else None,
        "moves_in_hand": in_hand,
        "slowed": None
        if slowed is None
        else {
            "limit_bytes_per_s": round(slowed.limit_bytes_per_s),
            "shard": slowed.shard,
            "latency_ms_p95": round(slowed.latency_ms, 2),
            "usual_ms_p95": round(slowed.usual_ms, 2),
            "allowed_ms_p95": round(slowed.allowed_ms, 2),
        },
        "remark": now.remark,
    }


def _move_document(one: Current) -> dict[str, object]:
    return {
        "id": one.move.id,
        "club": one.move.club,
        "source": one.move.source,
        "target": one.move.target,
        "phase": str(one.phase),
        "phase_bytes": one.bytes_total,
        "phase_bytes_done": one.bytes_done,
        "lag_changes": one.lag_changes,
        "lag_s": round(one.lag_s, 2),
        "left_s": _rounded(one.left_s),
    }


def paused_text(now: MoveStanding) -> str:
    """What a pause leaves."""
    left = now.moves - len(now.ended)
    begun = "".join(f", {one.move.club} is {_PAUSED_AT[one.phase]}" for one in now.in_hand)
    return f"paused: {left} of {now.moves} clubs are not moved yet{begun}; the app goes on as it is"


def outcome_texts(outcome: MoveOutcome, now: MoveStanding) -> list[str]:
    """What became of all moves, how long it took, and what the app may have noticed."""
    moved = sum(one.copied_bytes for one in now.ended if one.move.state == State.REVERSING)
    held = [move.block_ms for move in outcome.done if move.block_ms is not None]
    longest = f"; writes of a club were held {max(held):.0f} ms at most" if held else ""
    failed = f", {len(outcome.failed)} given up" if outcome.failed else ""
    clubs = "1 club" if len(outcome.done) == 1 else f"{len(outcome.done):,} clubs"
    copied = f", {format_bytes(moved)} copied" if moved else ""
    texts = [f"{clubs} moved{failed}{copied} in {format_duration(max(now.elapsed_s, 0.1))}{longest}."]
    if outcome.rehearsed:
        count = counted(len(outcome.rehearsed), "club")
        texts = [f"Rehearsed: {count} copied and verified, then removed again{failed}; the app was not touched."]
    if now.slowed_s >= 1:
        slow, whole = format_duration(round(now.slowed_s)), format_duration(round(now.elapsed_s))
        texts.append(f"Copying gave way to the app for {slow} of {whole}, while shards answered late.")
    if outcome.done and not outcome.paused:
        texts.append("Old copies stay for dbz shard rollback until dbz shard clean; dbz shard verify compares them.")
    return texts


def outcome_document(outcome: MoveOutcome, now: MoveStanding) -> dict[str, object]:
    """What became of the moves, as JSON."""
    found = {one.move.id: one for one in now.ended}
    moves = []
    for move in (*outcome.done, *outcome.rehearsed, *outcome.failed):
        ended = found[move.id]
        row: dict[str, object] = {"id": move.id, "club": move.club, "source": move.source, "target": move.target}
        row |= {"state": str(move.state), "block_ms": move.block_ms, "retries": move.retries, "reason": move.reason}
        row |= {"seconds": round(ended.seconds, 2), "copied_bytes": ended.copied_bytes}
        moves.append(row | {"max_lag_s": round(ended.max_lag_s, 2)})
    return {
        "schema": "dbz.shard-rebalance/1",
        "paused": outcome.paused,
        "seconds": round(now.elapsed_s, 2),
        "slowed_s": round(now.slowed_s, 2),
        "moves_left": now.moves - len(now.ended),
        "rehearsed": len(outcome.rehearsed),
        "moves": moves,
        "next_steps": next_steps(outcome),
    }


def next_steps(outcome: MoveOutcome) -> list[str]:
    """The commands that come next, the nearest first."""
    steps = ["dbz shard rebalance --yes", "dbz shard cancel --yes"] if outcome.paused else []
    if outcome.rehearsed:
        return ["dbz shard rebalance --yes"]
    if outcome.failed:
        steps.append("dbz shard plan")
    if outcome.done:
        undo = [f"dbz shard rollback {move.id}" for move in outcome.done[:1] if not move.undoes]
        steps += ["dbz shard verify", *undo, "dbz shard clean --after 24h"]
    return steps


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
