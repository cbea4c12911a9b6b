"""Tests of whether latencies differ between the runs of two sides, with the noise between runs learnt or assumed.

The logarithms of the runs' figures go through Student's t test with a pooled variance, which those of all operations
steady. A side with a single run is assumed to be as noisy as `ComparisonTerms` say, unless the other side turns out
to be noisier.

Much of the noise is the whole run's: another program, a slower clock, a neighbour on the host. It hits all operations
at once, so with several of them it can be taken away. Each run's median deviation over the operations is subtracted,
and what is left is tested too: whether an operation changed beside what all changed by together (the thought behind
median polish, J. W. Tukey, Exploratory Data Analysis, 1977, ch. 11). The better of both tests counts, at twice its
p-value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from dbz.measure.budget.measured import Measured
from dbz.measure.compare.moderation import moderated, squares
from dbz.measure.compare.terms import ComparisonTerms
from dbz.measure.confidence import normal_quantile
from dbz.measure.latency.series import Series
from dbz.measure.student import t_two_sided

LEAST_OPERATIONS = 4
"""Of fewer, the one that changed would be too much of what all have in common."""
FINDING_P = 0.01
"""A change beside the others with a larger p-value would not survive the correction for several figures."""
CLEARLY = 0.75
"""An error below this share of another one is taken for smaller."""
_RESOLUTION = 0.0005
"""Half the width of a histogram's position, as a share of the value: no run is more exact."""


@dataclass(frozen=True)
class Pair:
    """The figures of one operation, a run each, all greater than 0."""

    series: Series
    base: Sequence[Measured]
    new: Sequence[Measured]

    @property
    def logs(self) -> Sides:
        """Their logarithms."""
        return [math.log(one.value) for one in self.base], [math.log(one.value) for one in self.new]


Sides = tuple[list[float], list[float]]


@dataclass(frozen=True)
class LatencyTest:
    """The test of one figure; all values are (differences of) logarithms of milliseconds."""

    series: Series
    before: float
    """The mean of the base runs."""
    after: float
    """The mean of the new runs."""
    change: float
    """What is tested: the difference of the means, less `shared`."""
    error: float
    """The standard error of `change`."""
    freedom: float
    """Its degrees of freedom."""
    p: float
    """The p-value, which allows for having looked `looks` times."""
    spread: float
    """The standard deviation of a single run's figure, in the more exact of the looks."""
    exact_error: float
    """The standard error in the more exact of the looks."""
    shared: float = 0.0
    """What all operations changed by together; 0 where the difference as it is was the clearer finding."""
    looks: int = 1


def latency_tests(stat: str, pairs: Sequence[Pair], terms: ComparisonTerms) -> list[LatencyTest]:
    """The tests of one statistic over all operations; without those whose single runs have too few samples."""
    logs = [pair.logs for pair in pairs]
    plain = list(_tests(pairs, logs, _alone(stat, pairs, terms)))
    if len(pairs) < LEAST_OPERATIONS or min(len(side) for side in logs[0]) < 2:
        return [one for one in plain if not math.isinf(one.error)]
    effects = _effects_of_runs(logs)
    beside = [(_without(base, effects[0]), _without(new, effects[1])) for base, new in logs]
    relative = _tests(pairs, beside, _alone(stat, pairs, terms))
    return [_clearer(one, other, math.log1p(terms.threshold)) for one, other in zip(plain, relative, strict=True)]


def _clearer(plain: LatencyTest, relative: LatencyTest, threshold: float) -> LatencyTest:
    """The clearer of two findings. What an operation does beside the others counts only if it is one, and if the
    operation does that by itself too: one that stays as it is while all others become slower did not become faster."""
    both = min(plain.change, relative.change) > threshold or max(plain.change, relative.change) < -threshold
    chosen = relative if both and relative.p < min(plain.p, FINDING_P) else plain
    # The smaller of two errors that are about the same is the smaller one by chance.
    exact = relative if relative.error < CLEARLY * plain.error else plain
    return replace(
        chosen,
        before=plain.before,
        after=plain.after,
        p=min(2 * chosen.p, 1.0),
        exact_error=exact.error,
        spread=exact.spread,
        shared=plain.change - chosen.change,
        looks=2,
    )


def _without(values: Sequence[float], effects: Sequence[float]) -> list[float]:
    return [value - effect for value, effect in zip(values, effects, strict=True)]


def _effects_of_runs(logs: Sequence[Sides]) -> Sides:
    """By how much the middle operation of each run is off, for the runs of both sides."""
    levels = [sum(sum(side) / len(side) for side in sides) / 2 for sides in logs]

    def of_side(at: int) -> list[float]:
        runs = zip(*(sides[at] for sides in logs), strict=True)
        return [median(value - level for value, level in zip(run, levels, strict=True)) for run in runs]

    return of_side(0), of_side(1)


def _tests(pairs: Sequence[Pair], logs: Sequence[Sides], alone: Sequence[tuple[float, float]]) -> Iterator[LatencyTest]:
    for pair, sides, noise in zip(pairs, logs, _noises(logs, alone), strict=True):
        counts = [len(side) for side in sides]
        error, freedom = noise.of_difference(counts)
        before, after = (sum(side) / len(side) for side in sides)
        p = t_two_sided((after - before) / error, freedom)
        spread = error / math.sqrt(sum(1 / count for count in counts))
        yield LatencyTest(pair.series, before, after, after - before, error, freedom, p, spread, error)


@dataclass(frozen=True)
class _Noise:
    """The variance of the logarithm of one run's figure, with its degrees of freedom; `alone` is that of a run that is
    alone on its side, for each side."""

    variance: float
    freedom: float
    alone: tuple[float, float]

    def of_difference(self, counts: Sequence[int]) -> tuple[float, float]:
        """The standard error of the difference of two sides, and its degrees of freedom (Satterthwaite's)."""
        learnt = taken = 0.0
        for count, alone in zip(counts, self.alone, strict=True):
            if count == 1 and alone > self.variance:
                taken += alone
            else:
                learnt += self.variance / count
        freedom = self.freedom * ((taken + learnt) / learnt) ** 2 if learnt else math.inf
        return math.sqrt(taken + learnt), freedom


def _noises(logs: Sequence[Sides], alone: Sequence[tuple[float, float]]) -> list[_Noise]:
    """The noise of each figure: variances from repeated runs, steadied by those of all operations."""
    own_freedom = sum(len(side) for side in logs[0]) - 2 if logs else 0
    if not own_freedom:
        return [_Noise(0.0, 0.0, one) for one in alone]
    variances = [max(sum(map(squares, sides)) / own_freedom, _RESOLUTION**2) for sides in logs]
    steadied, freedom = moderated(variances, own_freedom)
    return [_Noise(variance, freedom, one) for variance, one in zip(steadied, alone, strict=True)]


def _alone(stat: str, pairs: Sequence[Pair], terms: ComparisonTerms) -> list[tuple[float, float]]:
    """The assumed variances of each figure for a side with a single run, what its own samples leave open included."""
    assumed = terms.assumed_variance(stat) + _RESOLUTION**2
    return [(assumed + _own_spread(pair.base[0]) ** 2, assumed + _own_spread(pair.new[0]) ** 2) for pair in pairs]


def _own_spread(measured: Measured) -> float:
    """The standard deviation of the logarithm of one run's figure, as its interval shows it."""
    ends = (measured.low, measured.high)
    if any(end is None or end <= 0 or math.isinf(end) for end in ends):
        return math.inf
    return max(abs(math.log(end / measured.value)) for end in ends if end) / normal_quantile(0.95)
