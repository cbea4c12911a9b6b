"""How well a learnt chain fits visits that it was not learnt from: total variations, beside what chance alone does.

A total variation is the share that would have to move from one value to another to make two distributions the same.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from dbz.measure.behaviour.chain import Behaviour
from dbz.measure.behaviour.visits import VisitCounts
from dbz.measure.latency.histogram import Histogram

FEWEST_VISITS = 50
_TIMES_CHANCE, _BESIDE = 1.5, 0.02
"""What is farther apart than so many times chance, and so much beside, differs."""
Value = TypeVar("Value", bound=Hashable)


@dataclass(frozen=True)
class Variation:
    """How far two distributions are apart."""

    found: float
    """The total variation, from 0 to 1."""
    by_chance: float
    """What it is on average when both are samples, of these sizes, of the same."""

    @property
    def differs(self) -> bool:
        """Whether that is more than chance makes likely."""
        return self.found > _TIMES_CHANCE * self.by_chance + _BESIDE


@dataclass(frozen=True)
class Fit:
    """How a chain fits visits that it was not learnt from."""

    visits: int
    """How many these were."""
    operations: Variation
    """The shares of operations."""
    moves: Variation
    """What comes after an operation; mean over all requests."""
    pauses: Variation
    """How many pauses lie between the learnt quantiles; mean over all pauses."""
    later: Variation
    """What comes after the next request: the chain takes it to depend on that request alone."""
    lengths: Variation
    """How many requests visits have: 1, 2, 3-4, 5-8, …"""

    def sentence(self) -> str:
        """What that means, in plain words."""
        if self.visits < FEWEST_VISITS:
            return f"Too few visits to tell how well it fits: {self.visits} of {FEWEST_VISITS} that are needed."
        found = [text for variation, text in self._faults() if variation.differs]
        if not found:
            return f"It does what {self.visits:,} visits did that it was not made from, as far as chance lets one tell."
        return "It differs from visits that it was not made from: " + "; ".join(found) + "."

    def _faults(self) -> list[tuple[Variation, str]]:
        return [
            (self.operations, "these have other shares of operations"),
            (self.moves, "other requests follow in these"),
            (self.pauses, "their pauses are others"),
            (self.later, "where people go depends on more than their last request"),
            (self.lengths, "a chain makes visits of other lengths"),
        ]


def fit_of(behaviour: Behaviour, made_from: VisitCounts, held_out: VisitCounts) -> Fit:
    """How a chain that was learnt from some visits fits others."""
    n, m = made_from.requests.total(), held_out.requests.total()
    shares = behaviour.shares()
    operations = _variation(shares, _shares(held_out.requests), min(n, made_from.visits), min(m, held_out.visits))
    rows, learnt_rows = held_out.rows(), made_from.rows()
    next_shares = {name: dict(screen.next) for name, screen in behaviour.screens.items()}
    moves = _mean([
        (row.total(), _variation(next_shares.get(name, {}), _shares(row), _total(learnt_rows, name), row.total()))
        for name, row in rows.items() if row
    ])  # fmt: skip
    chain = behaviour.visit_lengths()
    lengths = Counter({_size(length): 0 for length in range(1, len(chain) + 1)})
    expected: defaultdict[int, float] = defaultdict(float)
    for length, share in enumerate(chain, 1):
        expected[_size(length)] += share
    for length, count in held_out.lengths.items():
        lengths[_size(length)] += count
    return Fit(
        held_out.visits, operations, moves, _pauses(made_from, held_out),
        _later(next_shares, made_from, held_out),
        _variation(expected, _shares(lengths), made_from.lengths.total(), lengths.total()),
    )  # fmt: skip


def _pauses(made_from: VisitCounts, held_out: VisitCounts) -> Variation:
    parts = []
    for name, pauses in held_out.pauses.items():
        learnt = made_from.pauses.get(name, Histogram())
        edges = sorted({learnt.percentile_us(percent) for percent in (10, 25, 50, 75, 90)}) if len(learnt) else []
        before, after = _between(learnt, edges), _between(pauses, edges)
        parts.append((len(pauses), _variation(_shares(before), _shares(after), len(learnt), len(pauses))))
    return _mean(parts)


def _between(pauses: Histogram, edges: list[int]) -> Counter[int]:
    """How many pauses lie between which edges."""
    counts: Counter[int] = Counter()
    for _, high, count in pauses.buckets():
        counts[bisect.bisect_left(edges, high)] += count
    return counts


def _later(next_shares: Mapping[str, Mapping[str, float]], made_from: VisitCounts, held_out: VisitCounts) -> Variation:
    """What the chain makes of two steps, against what the second step was."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (name, then), count in held_out.later.items():
        seen[name][then] += count
    learnt: Counter[str] = Counter()
    for (name, _), count in made_from.later.items():
        learnt[name] += count
    parts = []
    for name, row in seen.items():
        steps: defaultdict[str, float] = defaultdict(float)
        for over, share in next_shares.get(name, {}).items():
            for then, part in next_shares.get(over, {}).items():
                steps[then] += share * part
        going_on = sum(steps.values())  # who left after the first step has no second one
        expected = {then: share / going_on for then, share in steps.items()} if going_on else {}
        parts.append((row.total(), _variation(expected, _shares(row), learnt[name], row.total())))
    return _mean(parts)


def _total(rows: Mapping[str, Counter[str]], name: str) -> int:
    return rows[name].total() if name in rows else 0


def _shares(counts: Counter[Value]) -> dict[Value, float]:
    total = counts.total()
    return {name: count / total for name, count in counts.items()} if total else {}


def _variation(left: Mapping[Value, float], right: Mapping[Value, float], n: int, m: int) -> Variation:
    """Between two distributions that were found with samples of sizes `n` and `m`."""
    if not (n and m):
        return Variation(1.0 if left or right else 0.0, 1.0)
    found = sum(abs(left.get(name, 0) - right.get(name, 0)) for name in {*left, *right}) / 2
    pooled = {name: (left.get(name, 0) * n + right.get(name, 0) * m) / (n + m) for name in {*left, *right}}
    spread = sum(math.sqrt(max(share * (1 - share), 0)) for share in pooled.values())
    # The mean of |x| is sqrt(2 / pi) standard deviations where x is normal around 0.
    return Variation(found, min(spread * math.sqrt(2 / math.pi * (1 / n + 1 / m)) / 2, 1.0))


def _mean(parts: list[tuple[int, Variation]]) -> Variation:
    """The mean of several, each as often as it counts."""
    total = sum(weight for weight, _ in parts)
    if not total:
        return Variation(0.0, 0.0)
    return Variation(
        sum(weight * one.found for weight, one in parts) / total,
        sum(weight * one.by_chance for weight, one in parts) / total,
    )


def _size(length: int) -> int:
    """The class of a length: 1, 2, 3-4, 5-8, …"""
    return (length - 1).bit_length()
