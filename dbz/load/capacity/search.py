"""Which load to try next, given what came of the loads tried so far: a pure function, repeated until it is done.

The search steps up by `GROWTH`, or by what the CPU of the server leaves room for when that is known, until a load does
not hold, then bisects (by the geometric mean) until both ends of the bracket are at most `tolerance` apart.
While the bracket is wide, a brief look at a load is enough: it only says on which side to go on. One look can be wrong,
for a reason that has nothing to do with the load, so a load that did not hold in one is looked at again, and for longer
when it broke within the range of chance. Both ends of the last bracket must be settled: looks of full length count
twice, and those that agree must count `SETTLED` together, and more than the others. When that moves an end, the search
goes on.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

GROWTH = 2.0
_LEAST_GROWTH = 1.2
_IDLE_GROWTH = 4.0
"""Where that leaves the server with more than half of its cores idle."""
_FULL_CPU_PERCENT = 80.0
"""Past this share of the server's cores requests queue for longer than they are worked on, and an overload would have
to be recovered from: the step up ends here, as far as CPU grows with the load."""
SETTLED = 3
"""So much looks must count together that agree about an end of the bracket: one of full length and one more."""
_BRIEF_LOOKS = 3
"""So many brief looks decide which side to go on to, by the majority."""


class Answer(StrEnum):
    """What one look at a load said; `undecided` when the generator, not the server, was the limit."""

    HOLDS = "holds"
    BREAKS = "breaks"
    UNDECIDED = "undecided"


class Length(StrEnum):
    """How long a load is looked at: briefly where nothing rests on it, long where the answer does."""

    BRIEF = "brief"
    FULL = "full"
    LONG = "long"


@dataclass(frozen=True)
class Bounds:
    """Where to search: whole numbers from `lowest` to `highest`, beginning at `start` and growing by `growth`; ends
    closer than `tolerance` (a share of the lower one) are close enough."""

    start: int
    highest: int
    lowest: int = 1
    tolerance: float = 0.1
    growth: float = GROWTH

    def __post_init__(self) -> None:
        if not 1 <= self.lowest <= self.start <= self.highest:
            raise ValueError(f"a search from {self.lowest} to {self.highest} cannot begin at {self.start}")


@dataclass(frozen=True)
class Tried:
    """One look at a load, and what it said."""

    load: int
    answer: Answer
    length: Length = Length.FULL
    sure: bool = True
    """Whether what broke did so beyond chance: a brief look has few samples of some budgets."""
    cpu_percent: float | None = None
    """How much of its cores the server used; None when nobody knows."""

    @property
    def weight(self) -> int:
        """How much it counts."""
        return 1 if self.length is Length.BRIEF else 2


@dataclass(frozen=True)
class Next:
    """Look at this load."""

    load: int
    earlier: int
    """How many looks at it there were."""
    length: Length = Length.FULL


@dataclass(frozen=True)
class SearchResult:
    """The search is over: `holds` is the highest load that holds, `limit` the lowest above it that does not, with what
    was said of it. None: nothing holds (then `limit` is the lowest load there is), or nothing up to `highest` fails."""

    holds: int | None
    limit: Tried | None


def search(bounds: Bounds, tried: Sequence[Tried]) -> Next | SearchResult:
    """What to do next. Ends after a bounded number of looks, whatever they say."""
    if tried and _is_open(last := tried[-1].load, tried):
        return Next(last, _looks_at(last, tried), Length.BRIEF if tried[-1].sure else Length.FULL)
    opinions = {load: _opinion(load, tried) for load in sorted({each.load for each in tried})}
    low, high = _bracket(opinions)
    between = _between(bounds, low, high, _growth(bounds, low, tried))
    if between is not None:
        narrow = low is not None and high is not None and high <= low * (1 + bounds.tolerance) ** 2
        return Next(between, earlier=0, length=Length.FULL if narrow else Length.BRIEF)
    for end, length in ((high, _again(high, tried)), (low, Length.LONG)):
        if end is not None and not opinions[end].settled:
            return Next(end, _looks_at(end, tried), length)
    return known(tried)


def known(tried: Sequence[Tried]) -> SearchResult:
    """What the looks so far say, however few they are."""
    opinions = {load: _opinion(load, tried) for load in sorted({each.load for each in tried})}
    low, high = _bracket(opinions)
    return SearchResult(low, Tried(high, opinions[high].answer) if high is not None else None)


def _again(high: int | None, tried: Sequence[Tried]) -> Length:
    """How long to look again at a load that did not hold: briefly where a long look was beyond chance."""
    long = [each for each in tried if each.load == high and each.length is not Length.BRIEF]
    sure = bool(long) and all(each.sure and each.answer is not Answer.HOLDS for each in long)
    return Length.BRIEF if sure else Length.FULL


def _looks_at(load: int, tried: Sequence[Tried]) -> int:
    return sum(each.load == load for each in tried)


def _is_open(load: int, tried: Sequence[Tried]) -> bool:
    """Whether brief looks said that a load does not hold, and not yet as many of them as decide about it."""
    looks = [each for each in tried if each.load == load]
    holding = sum(each.answer is Answer.HOLDS for each in looks)
    failing = len(looks) - holding
    brief = all(each.length is Length.BRIEF for each in looks)
    return brief and failing > 0 and max(holding, failing) <= _BRIEF_LOOKS // 2


@dataclass(frozen=True)
class _Opinion:
    answer: Answer
    settled: bool


def _opinion(load: int, tried: Sequence[Tried]) -> _Opinion:
    """What most looks at a load say, by their weight; of equally many, the worse."""
    weights: Counter[Answer] = Counter()
    for each in tried:
        if each.load == load:
            weights[each.answer] += each.weight
    # Whether a load breaks or cannot be decided, it does not hold: two looks that differ in that agree.
    holding, failing = weights[Answer.HOLDS], weights[Answer.BREAKS] + weights[Answer.UNDECIDED]
    if holding > failing:
        return _Opinion(Answer.HOLDS, holding >= SETTLED)
    answer = Answer.BREAKS if weights[Answer.BREAKS] else Answer.UNDECIDED
    return _Opinion(answer, failing >= SETTLED and failing > holding)


def _bracket(opinions: dict[int, _Opinion]) -> tuple[int | None, int | None]:
    """The highest load that holds below all that settled as not holding, and the lowest above it that does not hold.

    Among looks that contradict each other (a higher load holds, a lower one does not), the lower loads are in doubt and
    the higher ones count, as long as it is not settled about a lower one.
    """
    ceiling = min(
        (load for load, one in opinions.items() if one.settled and one.answer is not Answer.HOLDS), default=math.inf
    )
    holding = [load for load, one in opinions.items() if one.answer is Answer.HOLDS and load < ceiling]
    low = max(holding, default=None)
    failing = [load for load, one in opinions.items() if one.answer is not Answer.HOLDS and (low is None or load > low)]
    return low, min(failing, default=None)


def _growth(bounds: Bounds, low: int | None, tried: Sequence[Tried]) -> float:
    """By how much to step up from the highest load that holds."""
    used = [each.cpu_percent for each in tried if each.load == low and each.cpu_percent]
    if not used:
        return bounds.growth
    room = _FULL_CPU_PERCENT / max(used)
    most = _IDLE_GROWTH if bounds.growth >= GROWTH and room > 2 * _IDLE_GROWTH else bounds.growth
    return min(max(room, _LEAST_GROWTH), most)


def _between(bounds: Bounds, low: int | None, high: int | None, growth: float) -> int | None:
    """A load that was not tried and narrows the bracket; None when the bracket is narrow enough."""
    if low is None and high is None:
        return bounds.start
    if low is None:
        assert high is not None
        return None if high == bounds.lowest else max(math.floor(high / bounds.growth), bounds.lowest)
    if high is None:
        return None if low == bounds.highest else min(math.ceil(low * growth), bounds.highest)
    if high - low <= max(1, bounds.tolerance * low):
        return None
    middle = round(math.sqrt(low * high))
    return min(max(middle, low + 1), high - 1)
