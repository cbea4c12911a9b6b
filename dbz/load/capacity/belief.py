"""What looks at loads say together about where the limit lies: a probability for every place where it can be.

Psychophysics finds thresholds in the same way (A. B. Watson and D. G. Pelli, *QUEST: a Bayesian adaptive psychometric
method*, 1983): answers far from the threshold are nearly certain and say little, those near it are chance and say much,
and every one of them counts for what it is worth. Here each budget has a limit of its own, and an answer is more than
yes or no: how much of its limit the budget used, and how sure that is by the samples of the look. So a budget of few
samples that breaks by chance moves little, and looks at one load count as their samples do. The limit of the server is
the lowest of all budgets'.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate, chain, product
from operator import add

_REACH = math.log(2)
"""Between half a limit and twice of it the amount counts; beyond, only the side does: an idle server uses some of its
limits whatever the load, and an overload says nothing of how steep the way there was."""
_SLOPES = (1.5, 3.0, 6.0, 12.0)
"""How steeply use can grow with load near the limit: by this power of it."""
_STEEPER_BEYOND = 1.5
"""Beyond the limit queues grow: use rises by so much higher a power there."""
_NOISES = (0.02, 0.04, 0.08)
"""How much quicker or slower the server can be in one full look than in another one: standard deviations of the
logarithm of the load. The steeper use grows with load, the more it differs then."""
_LEAST_NOISE = 0.08
"""By how much use differs beside that, and beside what samples explain: the standard deviation of its logarithm."""
_REACHED_NOISE = 0.015
"""How far two full looks at what a server reaches can differ."""
_BEND = 0.2
"""Far from the limit use grows by another power of load than near it: an expected use is off by this share."""
_MISHAPS = 0.04
"""The share of looks that say something else entirely, for a reason that has nothing to do with the load."""
_PLACES_PER_DOUBLING = 48
_FAR = 4.0
"""This many times a load, or a part of it, the limit is far from it."""


@dataclass(frozen=True)
class Evidence:
    """What one look said of one budget: at which load, the logarithm of how much of its limit was used (above 0 what
    does not hold, infinite where no amount is known), the standard error of that by the samples of the look, and how
    much noisier than a look of full length it is otherwise."""

    load: float
    use: float
    error: float = 0.0
    noise: float = 1.0
    reached: bool = False
    """Whether it is about the rate that was reached of the one that was asked for: what is reached where more was
    asked is the limit itself."""


@dataclass(frozen=True)
class Belief:
    """Where the limit is: `chances[i]` that it is at `places[i]` (loads, rising)."""

    places: tuple[float, ...]
    chances: tuple[float, ...]

    def quantile(self, share: float) -> float:
        """The place below which the limit is with this probability."""
        for place, total in zip(self.places, accumulate(self.chances), strict=True):
            if total >= share:
                return place
        return self.places[-1]

    def below(self, load: float) -> float:
        """How probable it is that the load does not hold."""
        return sum(chance for place, chance in zip(self.places, self.chances, strict=True) if place < load)


def lowest_of(beliefs: Sequence[Belief]) -> Belief:
    """Where the first of several limits is, of beliefs over the same places."""
    places = beliefs[0].places
    beyond = [1.0] * len(places)
    for one in beliefs:
        beyond = list(map(min, beyond, (max(1 - total, 0.0) for total in accumulate(one.chances))))
    beyond[-1] = 0.0
    return Belief(places, tuple(before - after for before, after in zip([1.0, *beyond], beyond, strict=False)))


def belief(lowest: int, highest: int, looks: Sequence[Evidence]) -> Belief:
    """What the looks say of one budget when nothing was known before but that its limit is not far outside of
    `lowest` … `highest`.

    Every slope and every noise is as probable as any other at first: how steep and how noisy this server is, the looks
    say themselves.
    """
    places = _places(lowest, highest)
    scores = _scores(lowest, highest, tuple(looks))
    most = max(scores)
    totals = [0.0] * len(places)
    for index, score in enumerate(scores):
        totals[index % len(places)] += math.exp(score - most)
    whole = sum(totals)
    return Belief(places, tuple(total / whole for total in totals))


@lru_cache(256)
def _scores(lowest: int, highest: int, looks: tuple[Evidence, ...]) -> tuple[float, ...]:
    """The logarithms of how probable looks are, for every model of the server and every place; one look more costs no
    more than that look."""
    places = _places(lowest, highest)
    if not looks:
        return (0.0,) * (len(places) * len(_SLOPES) * len(_NOISES))
    added = chain.from_iterable(_look_scores(looks[-1], places, *model) for model in product(_SLOPES, _NOISES))
    return tuple(map(add, _scores(lowest, highest, looks[:-1]), added))


def _look_scores(look: Evidence, places: tuple[float, ...], slope: float, noise: float) -> list[float]:
    """As `_log_likelihood`, for every place; far from the load only the side counts, and no place is another one."""
    first, last = bisect_left(places, look.load / _FAR), bisect_right(places, look.load * _FAR)
    near = [_log_likelihood(look, place, slope, noise) for place in places[first:last]]
    before, behind = (_log_likelihood(look, look.load * far, slope, noise) for far in (1 / _FAR, _FAR))
    return [before] * first + near + [behind] * (len(places) - last)


@cache
def _places(lowest: int, highest: int) -> tuple[float, ...]:
    begin, end = math.log2(lowest / 2), math.log2(highest * 2)
    count = max(math.ceil((end - begin) * _PLACES_PER_DOUBLING), 2)
    return tuple(2 ** (begin + (end - begin) * number / count) for number in range(count + 1))


def _log_likelihood(look: Evidence, place: float, slope: float, noise: float) -> float:
    """How probable a look is where the limit is at `place`."""
    if look.reached:
        return _log_likelihood_of_reached(look, place)
    slope *= _STEEPER_BEYOND if look.load > place else 1
    expected = slope * math.log(look.load / place)
    scale = math.hypot(slope * noise * look.noise, _LEAST_NOISE, look.error, _BEND * expected)
    if math.isinf(look.use):
        usual, mishap = _cumulative(math.copysign(expected / scale, look.use * expected)), 0.5
    elif look.use <= -_REACH:
        usual, mishap = _cumulative((-_REACH - expected) / scale), 0.25
    elif look.use >= _REACH:
        usual, mishap = _cumulative((expected - _REACH) / scale), 0.5
    else:
        usual, mishap = _density((look.use - expected) / scale) / scale, 0.25 / (2 * _REACH)
    return math.log((1 - _MISHAPS) * usual + _MISHAPS * mishap)


def _log_likelihood_of_reached(look: Evidence, place: float) -> float:
    """The same where a server gives what it can, and no more: up to its limit all that is asked for."""
    missed = math.log(look.load / place)
    scale = math.hypot(_REACHED_NOISE * look.noise, look.error, _BEND * missed)
    if look.use <= 0:
        usual, mishap = _cumulative(-missed / scale), 0.5
    elif math.isinf(look.use):
        usual, mishap = _cumulative(missed / scale), 0.5
    else:
        usual, mishap = _density((look.use - missed) / scale) / scale, 0.5
    return math.log((1 - _MISHAPS) * usual + _MISHAPS * mishap)


_FREEDOM_3 = math.sqrt(3)


def _density(value: float) -> float:
    """Student's t with three degrees of freedom: a normal distribution with heavier ends."""
    return 2 / (math.pi * _FREEDOM_3 * (1 + value * value / 3) ** 2)


def _cumulative(value: float) -> float:
    ratio = value / _FREEDOM_3
    return 0.5 + (ratio / (1 + ratio * ratio) + math.atan(ratio)) / math.pi
