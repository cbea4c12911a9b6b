"""Which load to try next, given what came of the loads tried so far: a pure function, repeated until it is done.

The search steps up by `GROWTH`, or by what the CPU of the server leaves room for when that is known, until a load does
not hold. From then on everything that was seen says together where the limit may be (`belief`), so that no single look
decides, and one bad moment is nothing but one look. While that is uncertain, brief looks are taken in the middle of it.
Then loads on both sides of its middle are looked at for longer: the search is over when one of them held, is below the
limit with a probability of `SURE` and near its middle, and the limit is within `tolerance` as `_QUANTILES` have it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dbz.load.capacity.belief import Belief, belief, lowest_of
from dbz.load.capacity.looks import Answer, Length, Tried, evidence_by_budget

GROWTH = 2.0
_LEAST_GROWTH = 1.2
_IDLE_GROWTH = 4.0
"""Where that leaves the server with more than half of its cores idle."""
_FULL_CPU_PERCENT = 80.0
"""Past this share of the server's cores requests queue for longer than they are worked on, and an overload would have
to be recovered from: the step up ends here, as far as CPU grows with the load."""
SURE = 0.75
"""How probable it must be that the load that is named holds: more of it doubles the time of a search, less lets two
searches differ."""
LIKELY = 0.6
"""How probable it must be that the load that is named holds, when the search has to end before it is surer."""
INTERVAL = 0.9
"""With this probability the limit is said to be between two loads."""
_BRIEFLY = 1.6
"""While the limit may be anywhere between two loads of this ratio, a brief look says enough."""
_BRIEF_LOOKS = 2
"""After so many looks at one load another one tells more, whatever else says that the limit is beyond it."""
_UNDECIDED_LOOKS = 3
"""So many looks at the higher end have to decide nothing for that to be the answer."""
_QUANTILES = (0.1, 0.5, 0.9)
MOST_LOOKS, MOST_FULL_LOOKS = 40, 9
"""After so many, or so many of full length, the search ends with what is likelier than not: where looks at one load
differ so much, more of them would tell less than the interval does already."""


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
    where = _where(bounds, tried)
    full, every = _Ends.of(_full(tried), where, LIKELY), _Ends.of(tried, where, 0.5)
    return _result(_Ends(every.low if full.low is None else full.low, every.high), tried)


def last_look(bounds: Bounds, tried: Sequence[Tried]) -> Next | None:
    """What to look at when there is time for one look more: a load that probably holds, if no full look has shown one
    that does."""
    held = [look.load for look in tried if look.answer is Answer.HOLDS]
    where = _where(bounds, tried)
    if not held or _Ends.of(_full(tried), where, LIKELY).low is not None:
        return None
    return _look(max(math.floor(where.quantile(1 - SURE)), bounds.lowest), Length.FULL, tried)


def interval(bounds: Bounds, tried: Sequence[Tried]) -> tuple[int, int] | None:
    """Between which loads the limit is with a probability of `INTERVAL`; None when it was not enclosed."""
    if len({look.answer is Answer.HOLDS for look in tried}) < 2:
        return None
    where, beyond = _where(bounds, tried), (1 - INTERVAL) / 2
    ends = math.floor(where.quantile(beyond)), math.ceil(where.quantile(1 - beyond))
    return max(ends[0], bounds.lowest), min(ends[1], bounds.highest)


def _where(bounds: Bounds, tried: Sequence[Tried]) -> Belief:
    said = evidence_by_budget(tried).values()
    return lowest_of([belief(bounds.lowest, bounds.highest, evidence) for evidence in said])


def _narrow(bounds: Bounds, tried: Sequence[Tried]) -> Next | SearchResult:
    """Narrow down where the limit is, now that some load held and another did not, or the bounds are reached."""
    where = _where(bounds, tried)
    ends = _Ends.of(_full(tried), where, SURE)
    if len(tried) >= MOST_LOOKS or len(_full(tried)) >= MOST_FULL_LOOKS:
        return known(bounds, tried)
    least, middle, most = (min(max(where.quantile(share), bounds.lowest), bounds.highest) for share in _QUANTILES)
    if ends.are_found(bounds, middle) and most - least <= bounds.width(math.ceil(least)):
        return _undecided_again(ends.high, tried) or _result(ends, tried)
    if most > _BRIEFLY * least:
        highest_held = max((look.load for look in tried if look.answer is Answer.HOLDS), default=bounds.lowest)
        target = round(min(middle, _above(bounds, highest_held, tried)))
        if sum(look.load == target for look in tried) >= _BRIEF_LOOKS and target > highest_held:
            target = round(math.sqrt(target * highest_held))
        return _look(target, Length.BRIEF, tried)
    low, beside = ends.low, math.sqrt(1 + bounds.tolerance)
    if low is None or low + bounds.width(low) < middle:
        probably_held = min(middle / beside, where.quantile(1 - SURE))
        target = max(math.floor(probably_held), bounds.lowest, 0 if low is None else low + 1)
        return _look(target, Length.FULL, tried)
    target = min(max(math.ceil(middle * beside), low + 1), low + bounds.width(low), bounds.highest)
    return _look(target, Length.FULL, tried)


def _undecided_again(high: int | None, tried: Sequence[Tried]) -> Next | None:
    """Another look at the higher end where none decided anything: what disturbed it may have passed."""
    there = [look.answer for look in tried if look.load == high]
    if high is None or len(there) >= _UNDECIDED_LOOKS or Answer.BREAKS in there:
        return None
    return _look(high, Length.FULL, tried)


def _full(tried: Sequence[Tried]) -> list[Tried]:
    return [look for look in tried if look.length is Length.FULL]


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

    def are_found(self, bounds: Bounds, middle: float) -> bool:
        """Whether the lower one is near enough to the middle of where the limit may be, or they are at the bounds."""
        if self.low is None:
            return self.high == bounds.lowest
        if self.high is None:
            return self.low == bounds.highest
        return self.low + bounds.width(self.low) >= middle


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
