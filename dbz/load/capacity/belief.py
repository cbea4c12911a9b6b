"""What looks at loads say together about where the limit lies: a probability for every place where it can be.

Psychophysics finds thresholds in the same way (A. B. Watson and D. G. Pelli, *QUEST: a Bayesian adaptive psychometric
method*, 1983): answers far from the threshold are nearly certain and say little, those near it are chance and say much,
and every one of them counts for what it is worth. Here an answer is more than yes or no: how much of its limit the
tightest budget used.
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
_SLOPES = (1.5, 3.0, 6.0, 14.0)
"""How steeply use can grow with load near the limit: by this power of it."""
_NOISES = (0.12, 0.25, 0.5)
"""How far two looks of full length at one load can differ: standard deviations of the logarithm of use."""
_MISHAPS = 0.04
"""The share of looks that say something else entirely, for a reason that has nothing to do with the load."""
_PLACES_PER_DOUBLING = 48
_FAR = 4.0
"""This many times a load, or a part of it, the limit is far from it."""


@dataclass(frozen=True)
class Evidence:
    """One look: at which load, the logarithm of how much of its limit the tightest budget used (above 0 what does not
    hold, infinite where no amount is known), and how much noisier it is than a look of full length."""

    load: int
    use: float
    noise: float


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


def belief(lowest: int, highest: int, looks: Sequence[Evidence]) -> Belief:
    """What the looks say when nothing was known before but that the limit is not far outside of `lowest` … `highest`.

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


@lru_cache(64)
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
    scale = noise * look.noise
    expected = slope * math.log(look.load / place)
    if look.use <= -_REACH:
        usual, mishap = _cumulative((-_REACH - expected) / scale), 0.25
    elif look.use >= _REACH:
        usual, mishap = _cumulative((expected - _REACH) / scale), 0.5
    else:
        usual, mishap = _density((look.use - expected) / scale) / scale, 0.25 / (2 * _REACH)
    return math.log((1 - _MISHAPS) * usual + _MISHAPS * mishap)


_FREEDOM_3 = math.sqrt(3)


def _density(value: float) -> float:
    """Student's t with three degrees of freedom: a normal distribution with heavier ends."""
    return 2 / (math.pi * _FREEDOM_3 * (1 + value * value / 3) ** 2)


def _cumulative(value: float) -> float:
    ratio = value / _FREEDOM_3
    return 0.5 + (ratio / (1 + ratio * ratio) + math.atan(ratio)) / math.pi
