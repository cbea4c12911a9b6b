"""Sentences about shards that all formats share."""

from __future__ import annotations

from dbz.shards.copies.verify_places import Unchecked
from dbz.shards.journal import Move, State
from dbz.shards.plan.document import MovePlan
from dbz.shards.status import Status
from dbz.units import counted, format_bytes, format_duration, format_percent

_WHOLE = {"bytes": "the bytes", "docs": "the documents", "ops": "the writes"}


def plan_texts(plan: MovePlan) -> list[str]:
    """What a plan moves, what that brings, how long it takes, and what else would have been moved."""
    missed = [f"Not within the tolerance of {_percent(plan.tolerance)}: {plan.shortfall}."] if plan.shortfall else []
    if not plan.moves:
        return [f"Nothing moves: the imbalance is {plan.imbalance_before:.3f} (heaviest shard over mean).", *missed]
    whole = _WHOLE[plan.by]
    verb = "moves" if len(plan.moves) == 1 else "move"
    share = (
        f"{_percent(plan.moved_share)} of {whole} move; at least {_percent(plan.least_share)} have to, to come within "
        f"the tolerance, and {_percent(plan.ideal_share)} to even out exactly."
    )
    texts = [
        f"{counted(len(plan.moves), 'club')} {verb}, {counted(plan.docs, 'document')}, {format_bytes(plan.bytes)}.",
        f"Imbalance (heaviest shard over mean): {plan.imbalance_before:.3f} now, {plan.imbalance_after:.3f} then.",
        *missed,
        share,
    ]
    if plan.estimated_s is not None and plan.rate_bytes_per_s is not None:
        rate = format_bytes(plan.rate_bytes_per_s)
        texts.append(
            f"About {format_duration(plan.estimated_s)}; copying at {rate} a second, "
            + ("as earlier moves went." if plan.estimate_measured else "by a sample that was read.")
        )
    if plan.modulo_share is not None:
        better = plan.modulo_share <= len(plan.moves) / max(1, sum(load.clubs for load in plan.loads))
        note = ", no more than this plan" if better else ""
        texts.append(f"`hash % {len(plan.shards)}` would move {_percent(plan.modulo_share)} of the clubs{note}.")
    return texts


def status_texts(found: Status) -> list[str]:
    """The balance, who follows the map, and who moves clubs."""
    if not found.adopted:
        return [
            f"Imbalance (heaviest shard over mean, by size): {found.imbalance:.3f}.",
            "Not adopted: clubs are found by the app's own formula. dbz shard adopt takes it over, moving nothing.",
        ]
    behind = f", {found.behind} of them behind" if found.behind else ""
    processes = "1 server process follows" if found.followers == 1 else f"{found.followers} server processes follow"
    followers = f"{processes} it{behind}" if found.followers else "no server follows it"
    return [
        f"Imbalance (heaviest shard over mean, by size): {found.imbalance:.3f}.",
        f"The map is at epoch {found.epoch}; {followers}.",
        f"Moving clubs: {found.mover}." if found.mover else "Nobody moves clubs.",
    ]


def move_text(move: Move) -> str:
    """One line about a move that has ended."""
    if move.state == State.ABORTED:
        return f"{move.id}  {move.club}  stays on {move.source}: {move.reason}"
    held = f"; its writes were held {move.block_ms:.0f} ms" if move.block_ms is not None else ""
    return f"{move.id}  {move.club}  is on {move.target} now{held}"


def unchecked_text(one: Unchecked) -> str:
    """One line about a copy that could not be judged."""
    return f"the copy of '{one.club}' on {one.shard} ({one.move}): {one.reason}"


def _percent(share: float) -> str:
    return format_percent(round(share, 4))
