"""Which moves may run beside each other, purely: in the order of the plan, with a cap in all and a cap a shard."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


class OnItsWay(Protocol):
    """What has a source, a target, and a club."""

    @property
    def club(self) -> str:
        """Whose documents move."""
        ...

    @property
    def source(self) -> str:
        """The shard they leave."""
        ...

    @property
    def target(self) -> str:
        """The shard they go to."""
        ...


Way = TypeVar("Way", bound=OnItsWay)


@dataclass(frozen=True)
class Parallelism:
    """How many moves run at the same time."""

    moves: int = 1
    """In all."""
    per_shard: int = 1
    """Of which a shard is the source, and as many again of which it is the target."""


def startable(waiting: Iterable[Way], running: Sequence[OnItsWay], allowed: Parallelism) -> list[Way]:
    """Those that may begin now beside those that run: the first that fit, so no shard waits for another one's turn.

    A club is never in two moves at once: the later one goes from where the earlier one leads.
    """
    clubs = {one.club for one in running}
    sources, targets = Counter(one.source for one in running), Counter(one.target for one in running)
    room = allowed.moves - len(running)
    begun: list[Way] = []
    for one in waiting:
        if len(begun) >= room:
            break
        fits = one.club not in clubs and max(sources[one.source], targets[one.target]) < allowed.per_shard
        clubs.add(one.club)  # what waits keeps later moves of its club waiting
        if fits:
            sources[one.source] += 1
            targets[one.target] += 1
            begun.append(one)
    return begun


def least_seconds(work: Iterable[tuple[OnItsWay, float]], allowed: Parallelism) -> float:
    """How long moves of these durations take together at least; with one at a time exactly so long."""
    in_all = longest = 0.0
    sources: defaultdict[str, float] = defaultdict(float)
    targets: defaultdict[str, float] = defaultdict(float)
    for one, seconds in work:
        in_all += seconds
        longest = max(longest, seconds)
        sources[one.source] += seconds
        targets[one.target] += seconds
    busiest = max([0.0, *sources.values(), *targets.values()]) / allowed.per_shard
    return max(in_all / allowed.moves, longest, busiest)
