"""Which load to try next, given what came of the loads tried so far: a pure function, repeated until it is done.

The search steps up by `GROWTH` until a load does not hold, then bisects (by the geometric mean) until both ends of the
bracket are at most `tolerance` apart. One run can be wrong, for a reason that has nothing to do with the load. So both
ends of the last bracket must be confirmed: two runs must agree about each, and when the first two differ a third one
decides. When that moves an end, the search goes on. All other loads need one run only: nothing rests on them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

GROWTH = 2.0
AGREEMENT = 2
"""How many runs must agree about a load at the end of the bracket."""


class Answer(StrEnum):
    """What one run said of its load; `undecided` when the generator, not the server, was the limit."""

    HOLDS = "holds"
    BREAKS = "breaks"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Bounds:
    """Where to search: whole numbers from `lowest` to `highest`, beginning at `start`; ends closer than `tolerance`
    (a share of the lower one) are close enough."""

    start: int
    highest: int
    lowest: int = 1
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.lowest <= self.start <= self.highest:
            raise ValueError(f"a search from {self.lowest} to {self.highest} cannot begin at {self.start}")


@dataclass(frozen=True)
class Tried:
    """One run, and what it said."""

    load: int
    answer: Answer


@dataclass(frozen=True)
class Next:
    """Run this load."""

    load: int
    earlier: int
    """How many runs of it have been made."""
    exploring: bool = False
    """Whether no load is known yet that does not hold: then a short look is enough, since nothing rests on it."""


@dataclass(frozen=True)
class SearchResult:
    """The search is over: `holds` is the highest load that holds, `limit` the lowest above it that does not, with what
    was said of it. None: nothing holds (then `limit` is the lowest load there is), or nothing up to `highest` fails."""

    holds: int | None
    limit: Tried | None


def search(bounds: Bounds, tried: Sequence[Tried]) -> Next | SearchResult:
    """What to do next. Ends after a bounded number of runs, whatever they say."""
    opinions = {load: _opinion(load, tried) for load in sorted({one.load for one in tried})}
    low, high = _bracket(opinions)
    between = _between(bounds, low, high)
    if between is not None:
        return Next(between, earlier=0, exploring=high is None)
    for end in (high, low):
        if end is not None and not opinions[end].settled:
            return Next(end, earlier=opinions[end].runs)
    return known(tried)


def known(tried: Sequence[Tried]) -> SearchResult:
    """What the runs so far say, however few they are."""
    opinions = {load: _opinion(load, tried) for load in sorted({one.load for one in tried})}
    low, high = _bracket(opinions)
    return SearchResult(low, Tried(high, opinions[high].answer) if high is not None else None)


@dataclass(frozen=True)
class _Opinion:
    answer: Answer
    runs: int
    settled: bool


def _opinion(load: int, tried: Sequence[Tried]) -> _Opinion:
    """What most runs say of a load; of equally many, the worse."""
    answers = [one.answer for one in tried if one.load == load]
    holds = answers.count(Answer.HOLDS)
    if holds > len(answers) - holds:
        return _Opinion(Answer.HOLDS, len(answers), holds >= AGREEMENT)
    # Whether a load breaks or cannot be decided, it does not hold: two runs that differ in that agree.
    failed = Counter(answer for answer in answers if answer is not Answer.HOLDS)
    answer = Answer.BREAKS if failed[Answer.BREAKS] else Answer.UNDECIDED
    return _Opinion(answer, len(answers), settled=failed.total() >= AGREEMENT and failed.total() > holds)


def _bracket(opinions: dict[int, _Opinion]) -> tuple[int | None, int | None]:
    """The highest load that holds below all that settled as not holding, and the lowest above it that does not hold.

    Among single runs that contradict each other (a higher load holds, a lower one does not), the lower ones are in
    doubt and the higher ones count, as long as two runs have not agreed about a lower one.
    """
    ceiling = min(
        (load for load, one in opinions.items() if one.settled and one.answer is not Answer.HOLDS), default=math.inf
    )
    holding = [load for load, one in opinions.items() if one.answer is Answer.HOLDS and load < ceiling]
    low = max(holding, default=None)
    failing = [load for load, one in opinions.items() if one.answer is not Answer.HOLDS and (low is None or load > low)]
    return low, min(failing, default=None)


def _between(bounds: Bounds, low: int | None, high: int | None) -> int | None:
    """A load that was not tried and narrows the bracket; None when the bracket is narrow enough."""
    if low is None and high is None:
        return bounds.start
    if low is None:
        assert high is not None
        return None if high == bounds.lowest else max(math.floor(high / GROWTH), bounds.lowest)
    if high is None:
        return None if low == bounds.highest else min(math.ceil(low * GROWTH), bounds.highest)
    if high - low <= max(1, bounds.tolerance * low):
        return None
    middle = round(math.sqrt(low * high))
    return min(max(middle, low + 1), high - 1)
