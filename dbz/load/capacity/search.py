"""Which load to try next, given what came of the loads tried so far: a pure function, repeated until it is done.

The search steps up by `GROWTH`, or by what the CPU of the server leaves room for when that is known, until a load does
not hold. From then on everything that was seen says together where the limit may be (`belief`), so that no single look
decides, and one bad moment is nothing but one look. While that is uncertain, brief looks are taken in the middle of it.
Then two loads no more than `tolerance` apart are looked at for longer, the limit between them: the search is over when
each is on its side of it with a probability of `SURE`, and the limit is within `tolerance` as `_QUANTILES` have it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dbz.load.capacity.belief import Belief, Evidence, belief

GROWTH = 2.0
_LEAST_GROWTH = 1.2
_IDLE_GROWTH = 4.0
"""Where that leaves the server with more than half of its cores idle."""
_FULL_CPU_PERCENT = 80.0
"""Past this share of the server's cores requests queue for longer than they are worked on, and an overload would have
to be recovered from: the step up ends here, as far as CPU grows with the load."""
SURE = 0.75
"""How probable it must be that the lower end holds, and that the higher one does not: more of it doubles the time of a
search, and less of it lets two searches differ."""
INTERVAL = 0.9
"""With this probability the limit is said to be between two loads."""
_BRIEFLY = 1.6
"""While the limit may be anywhere between two loads of this ratio, a brief look says enough."""
_QUANTILES = (0.1, 0.5, 0.9)
MOST_LOOKS, MOST_FULL_LOOKS = 40, 9
"""After so many, or so many of full length, the search ends with what is likelier than not: where looks at one load
differ so much, more of them would tell less than the interval does already."""


class Answer(StrEnum):
    """What one look at a load said; `undecided` when the generator, not the server, was the limit."""

    HOLDS = "holds"
    BREAKS = "breaks"
    UNDECIDED = "undecided"


class Length(StrEnum):
    """How long a load is looked at: briefly where nothing rests on it yet."""

    BRIEF = "brief"
    FULL = "full"


_NOISE = {Length.BRIEF: 1.6, Length.FULL: 1.0}
"""How much the answers of two looks at one load differ, by their length: not as the root of it, since what disturbs one
second often disturbs the next ones too."""
_UNSURE = 2.5
"""So many times noisier is a look in which the limit lies within the confidence interval of all that broke."""


@dataclass(frozen=True)
class Bounds:
    """Where to search: whole numbers from `lowest` to `highest`, beginning at `start` and growing by `growth`; ends
    closer than `tolerance` (a share of the lower one) are close enough."""

    start: int
    highest: int
    lowest: int = 1
    tolerance: float = 0.1
    growth: float = GROWTH

    def width(self, low: int) -> int:
        """How far above a load the other end may be."""
        return max(math.floor(self.tolerance * low), 1)

    def __post_init__(self) -> None:
        if not 1 <= self.lowest <= self.start <= self.highest:
            raise ValueError(f"a search from {self.lowest} to {self.highest} cannot begin at {self.start}")


@dataclass(frozen=True)
class Tried:
    """One look at a load, and what it said."""

    load: int
    answer: Answer
    length: Length = Length.FULL
    used: float | None = None
    """How much of its limit the tightest budget used, above 1 what does not hold; None where no amount is known."""
    cpu_percent: float | None = None
    """How much of its cores the server used; None when nobody knows."""
    sure: bool = True
    """Whether what broke did so beyond chance: a look at few users has few samples of some budgets."""

    @property
    def noise(self) -> float:
        """How much noisier than a look of full length it is."""
        return _NOISE[self.length] * (1 if self.sure else _UNSURE)

    @property
    def use(self) -> float:
        """The logarithm of that share, below 0 what holds; infinite where only the side is known."""
        if self.answer is Answer.HOLDS:
            return min(math.log(self.used), 0.0) if self.used else -math.inf
        return max(math.log(self.used), 0.0) if self.used and self.answer is Answer.BREAKS else math.inf


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
    low = max((look.load for look in tried if look.answer is Answer.HOLDS), default=None)
    high = min((look.load for look in tried if look.answer is not Answer.HOLDS), default=None)
    if low is None and high is None:
        return Next(bounds.start, 0, Length.BRIEF)
    if high is None and low is not None and low < bounds.highest:
        return Next(_above(bounds, low, tried), 0, Length.BRIEF)
    if low is None and high is not None and high > bounds.lowest:
        return Next(max(math.floor(high / bounds.growth), bounds.lowest), 0, Length.BRIEF)
    return _narrow(bounds, tried)


def known(bounds: Bounds, tried: Sequence[Tried]) -> SearchResult:
    """What is likelier than not after the looks so far, however few they are."""
    return _result(_Ends.of(tried, _where(bounds, tried), 0.5), tried)


def interval(bounds: Bounds, tried: Sequence[Tried]) -> tuple[int, int] | None:
    """Between which loads the limit is with a probability of `INTERVAL`; None when it was not enclosed."""
    if len({look.answer is Answer.HOLDS for look in tried}) < 2:
        return None
    where, beyond = _where(bounds, tried), (1 - INTERVAL) / 2
    ends = math.floor(where.quantile(beyond)), math.ceil(where.quantile(1 - beyond))
    return max(ends[0], bounds.lowest), min(ends[1], bounds.highest)


def _where(bounds: Bounds, tried: Sequence[Tried]) -> Belief:
    evidence = [Evidence(look.load, look.use, look.noise) for look in tried]
    return belief(bounds.lowest, bounds.highest, evidence)


def _narrow(bounds: Bounds, tried: Sequence[Tried]) -> Next | SearchResult:
    """Narrow down where the limit is, now that some load held and another did not, or the bounds are reached."""
    where = _where(bounds, tried)
    ends = _Ends.of([look for look in tried if look.length is not Length.BRIEF], where, SURE)
    full = sum(look.length is Length.FULL for look in tried)
    if len(tried) >= MOST_LOOKS or full >= MOST_FULL_LOOKS:
        return known(bounds, tried)
    least, middle, most = (min(max(where.quantile(share), bounds.lowest), bounds.highest) for share in _QUANTILES)
    if ends.are_found(bounds) and most - least <= bounds.width(math.ceil(least)):
        return _result(ends, tried)
    if most > _BRIEFLY * least:
        highest_held = max((look.load for look in tried if look.answer is Answer.HOLDS), default=bounds.lowest)
        return _look(round(min(middle, _above(bounds, highest_held, tried))), Length.BRIEF, tried)
    low, beside = ends.low, math.sqrt(1 + bounds.tolerance)
    if low is None or low + bounds.width(low) < middle:
        target = max(math.floor(middle / beside), bounds.lowest, 0 if low is None else low + 1)
        return _look(target, Length.FULL, tried)
    target = min(max(math.ceil(middle * beside), low + 1), low + bounds.width(low), bounds.highest)
    return _look(target, Length.FULL, tried)


def _look(load: int, length: Length, tried: Sequence[Tried]) -> Next:
    return Next(load, sum(look.load == load for look in tried), length)


@dataclass(frozen=True)
class _Ends:
    """The highest load that held in some look and is probably below the limit, the lowest that did not and is above."""

    low: int | None
    high: int | None

    @classmethod
    def of(cls, tried: Sequence[Tried], where: Belief, sure: float) -> _Ends:
        below = {look.load for look in tried if look.answer is Answer.HOLDS and where.below(look.load) <= 1 - sure}
        above = {look.load for look in tried if look.answer is not Answer.HOLDS and where.below(look.load) > sure}
        return cls(max(below, default=None), min(above, default=None))

    def are_found(self, bounds: Bounds) -> bool:
        """Whether they are close enough, or at the bounds."""
        if self.low is None:
            return self.high == bounds.lowest
        if self.high is None:
            return self.low == bounds.highest
        return self.high - self.low <= bounds.width(self.low)


def _result(ends: _Ends, tried: Sequence[Tried]) -> SearchResult:
    if ends.high is None:
        return SearchResult(ends.low, None)
    answers = {look.answer for look in tried if look.load == ends.high}
    # A server that broke there once is the limit there, however often the generator was it.
    return SearchResult(ends.low, Tried(ends.high, Answer.BREAKS if Answer.BREAKS in answers else Answer.UNDECIDED))


def _above(bounds: Bounds, low: int, tried: Sequence[Tried]) -> int:
    """How far to step up from a load that held."""
    return min(math.ceil(low * _growth(bounds, low, tried)), bounds.highest)


def _growth(bounds: Bounds, low: int | None, tried: Sequence[Tried]) -> float:
    """By how much to step up from the highest load that holds."""
    used = [each.cpu_percent for each in tried if each.load == low and each.cpu_percent]
    if not used:
        return bounds.growth
    room = _FULL_CPU_PERCENT / max(used)
    most = _IDLE_GROWTH if bounds.growth >= GROWTH and room > 2 * _IDLE_GROWTH else bounds.growth
    return min(max(room, _LEAST_GROWTH), most)
