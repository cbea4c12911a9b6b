"""What counters and histograms have counted between two moments; one that is lower than before began again at zero."""

from __future__ import annotations

from collections.abc import Mapping

Key = tuple[tuple[str, str], ...]
"""The labels of a sample, in order."""


def added(now: float, before: float) -> float:
    """What a counter has counted meanwhile."""
    return now - before if now >= before else now


def all_added(now: Mapping[Key, float], before: Mapping[Key, float]) -> float:
    """What was added to all series of a counter together."""
    return sum(added(value, before.get(key, 0.0)) for key, value in now.items())


def counts_since(now: Mapping[float, float], before: Mapping[float, float]) -> dict[float, float]:
    """Counts by upper bound from two cumulative histograms; empty when nothing was counted."""
    if any(count < before.get(bound, 0.0) for bound, count in now.items()):
        before = {}  # the server began again
    counts: dict[float, float] = {}
    below = 0.0
    for bound in sorted(now):
        cumulative = max(now[bound] - before.get(bound, 0.0), 0.0)
        counts[bound] = max(cumulative - below, 0.0)
        below = max(below, cumulative)
    return counts if below else {}
