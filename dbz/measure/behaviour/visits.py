"""What visitors were seen to do, counted: all that a chain is learnt from, of whatever number of visits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from dbz.measure.behaviour.chain import END, Behaviour, Screen
from dbz.measure.behaviour.think_time import NO_PAUSE, ThinkTime, learnt
from dbz.measure.latency.histogram import Histogram

RAREST = 0.001
"""A way on that fewer take is left out of a chain."""
_STEPS = 10_000
"""Shares are rounded to one in so many: a hundredth of a percent."""
Key = TypeVar("Key")


@dataclass
class VisitCounts:
    """Counts of visits, of requests and of what came after them."""

    visits: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    """By operation."""
    starts: Counter[str] = field(default_factory=Counter)
    """The first operation of visits whose beginning was seen."""
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(operation, the next one of the same visit, or `END`)."""
    later: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(operation, the one after the next, or `END`), where it was seen."""
    pauses: defaultdict[str, Histogram] = field(default_factory=lambda: defaultdict(Histogram))
    """Before the next operation, by operation."""
    lengths: Counter[int] = field(default_factory=Counter)
    """Visits that were seen whole, by how many requests they had."""

    def add(self, other: VisitCounts) -> None:
        """Take in what was counted of other visits."""
        self.visits += other.visits
        self.requests.update(other.requests)
        self.starts.update(other.starts)
        self.moves.update(other.moves)
        self.later.update(other.later)
        self.lengths.update(other.lengths)
        for operation, pauses in other.pauses.items():
            self.pauses[operation].add(pauses)

    def rows(self) -> dict[str, Counter[str]]:
        """By operation, the most frequent first: how often which came next."""
        rows: dict[str, Counter[str]] = {operation: Counter() for operation, _ in by_count(self.requests)}
        for (operation, following), count in self.moves.items():
            rows[operation][following] += count
        return rows


def by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most frequent first; those of one number by name, so that the order depends on nothing else."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def learn(counts: VisitCounts, between: ThinkTime = NO_PAUSE) -> Behaviour:
    """The chain that does most likely what was counted; its shares are whole hundredths of a percent."""
    rows = counts.rows()
    screens = {}
    for operation, row in rows.items():
        total = row.total()
        kept = {name: count for name, count in by_count(row) if count >= RAREST * total} or {END: 1}
        screens[operation] = Screen(learnt(counts.pauses.get(operation, Histogram())), rounded_shares(kept))
    starts = dict(by_count(counts.starts or counts.requests))
    return Behaviour(rounded_shares(starts), screens, between)


def rounded_shares(counts: Mapping[Key, int]) -> dict[Key, float]:
    """Shares in whole hundredths of a percent that add up to one: what is left goes to the largest remainders."""
    total = sum(counts.values())
    exact = {name: count * _STEPS / total for name, count in counts.items()}
    whole = {name: int(value) for name, value in exact.items()}
    left = _STEPS - sum(whole.values())
    for name in sorted(exact, key=lambda one: whole[one] - exact[one])[:left]:
        whole[name] += 1
    return {name: steps / _STEPS for name, steps in whole.items() if steps}
