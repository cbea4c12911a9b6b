"""Sentences about shards that all formats share."""

from __future__ import annotations

from dbz.shards.plan import Plan
from dbz.units import format_bytes, format_duration, format_percent

_WHOLE = {"bytes": "the bytes", "docs": "the documents", "ops": "the writes"}


def plan_texts(plan: Plan) -> list[str]:
    """What a plan moves, what that brings, how long it takes, and what else would have been moved."""
    if not plan.moves:
        return [f"Nothing moves: the imbalance is {plan.imbalance_before:.3f} (heaviest shard over mean)."]
    whole = _WHOLE[plan.by]
    texts = [
        f"{len(plan.moves):,} clubs move, {plan.docs:,} documents, {format_bytes(plan.bytes)}.",
        f"Imbalance (heaviest shard over mean): {plan.imbalance_before:.3f} now, {plan.imbalance_after:.3f} then.",
        f"{_percent(plan.moved_share)} of {whole} move; evening out exactly takes {_percent(plan.ideal_share)}.",
    ]
    if plan.estimated_s is not None and plan.rate_bytes_per_s is not None:
        rate = format_bytes(plan.rate_bytes_per_s)
        texts.append(f"About {format_duration(plan.estimated_s)} at {rate} a second, by a sample that was read.")
    if plan.modulo_share is not None:
        better = plan.modulo_share <= len(plan.moves) / max(1, sum(load.clubs for load in plan.loads))
        note = ", no more than this plan" if better else ""
        texts.append(f"`hash % {len(plan.shards)}` would move {_percent(plan.modulo_share)} of the clubs{note}.")
    return texts


def _percent(share: float) -> str:
    return format_percent(round(share, 4))
