"""Is the new code slower? Runs against runs, operation by operation, with noise taken for what it is.

The figure of one run is one sample: what two runs of the same code differ by is the noise, and only repeated runs show
it. With several runs of a side, the logarithms of their figures go through Student's t test with a pooled deviation.
However long a single run is, it says nothing about that noise: a side that has only one is assumed to be as noisy as
`Terms` say, unless the other side turns out to be noisier. Many operations are looked at together, so the p-values are
corrected after Holm (S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979): in 95 of 100 comparisons
of equal code nothing at all is found.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dbz.measure.confidence import normal_quantile
from dbz.measure.detection import smallest_change
from dbz.measure.measured import Measured
from dbz.measure.measuring import Measurements, measure
from dbz.measure.metrics import CATALOGUE, Filter, Selector
from dbz.measure.moderation import moderated
from dbz.measure.series import COMPOSITE, REQUEST_KINDS, Series
from dbz.measure.student import t_quantile, t_two_sided

_KINDS = (*REQUEST_KINDS, COMPOSITE)
LATENCY_STATS = ("p50", "p95")
ERROR_STAT = "error_rate"
MIN_ERROR_INCREASE = 0.001
"""Error rates that differ by less than this share of all attempts are not worth an alarm."""
MIN_MS = 0.1
"""Latencies that differ by less are the machine's business rather than the server's."""
MIN_SINGLE_MS = 0.5
"""The same where a side has a single run."""
TAIL_NOISE = 2.0
"""How much noisier than the median the tail of a run is assumed to be."""
_RESOLUTION = 0.0005
"""Half the width of a histogram's position, as a share of the value: no run is more exact."""


class Change(StrEnum):
    """What became of one figure."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "same"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Terms:
    """When a difference counts: beyond `threshold`, with this confidence over all figures together.

    `noise` is what the medians of two single runs of the same code are assumed to differ by in 95 of 100 cases; tails
    differ by twice as much. Both are shares of the base value. `busy` is the share of the machine that others may have
    taken more of on one side, before that side is not called slower.
    """

    threshold: float = 0.05
    noise: float = 0.15
    confidence: float = 0.95
    busy: float = 0.10

    def assumed_variance(self, stat: str) -> float:
        """The assumed variance of the logarithm of one run's figure."""
        tail = stat == "max" or (stat.startswith("p") and stat != "p50")
        differ = TAIL_NOISE * self.noise if tail else self.noise
        return (math.log1p(differ) / normal_quantile(0.95)) ** 2 / 2


@dataclass(frozen=True)
class Difference:
    """One statistic of one operation, before and after.

    `change`, `low` and `high` are shares of the base value (0.1 is 10 % more; error rates: of all attempts). `noise` is
    the smallest change that these runs can tell from none if it were the only figure; `detectable` the smallest
    increase of a latency that they find in nine of ten cases among all figures. `spread` is the standard deviation of
    the logarithm of one run's latency. `p` is the corrected p-value.
    """

    series: Series
    stat: str
    base: float
    new: float
    change: float
    low: float
    high: float
    noise: float
    p: float
    verdict: Change = Change.UNCLEAR
    spread: float = 0.0
    detectable: float | None = None


@dataclass(frozen=True)
class _Noise:
    """The variance of the logarithm of one run's figure, with its degrees of freedom; `assumed` is that of a run that
    is alone on its side."""

    variance: float
    freedom: float
    assumed: tuple[float, float]

    def of_difference(self, counts: Sequence[int]) -> tuple[float, float]:
        """The standard error of the difference of two sides, and its degrees of freedom (Satterthwaite's)."""
        learnt = taken = 0.0
        for count, assumed in zip(counts, self.assumed, strict=True):
            if count == 1 and assumed > self.variance:
                taken += assumed
            else:
                learnt += self.variance / count
        freedom = self.freedom * ((taken + learnt) / learnt) ** 2 if learnt else math.inf
        return math.sqrt(taken + learnt), freedom


def compare(base: Sequence[Measurements], new: Sequence[Measurements], terms: Terms) -> list[Difference]:
    """All figures that both sides have, each with its verdict; the sides are repeated runs of the same code each."""
    found: list[_Tested] = []
    names = _common_names([*base, *new])
    for stat in LATENCY_STATS:
        pairs = [(of, _figures(of, stat, base), _figures(of, stat, new)) for of in names]
        found += _latencies(stat, [pair for pair in pairs if _positive(pair[1]) and _positive(pair[2])], terms)
    for of in names:
        before, after = _figures(of, ERROR_STAT, base), _figures(of, ERROR_STAT, new)
        if any(one.value for one in (*before, *after)):  # none on either side is nothing to test
            found.append(_Tested(_of_errors(of, before, after, terms)))
    found.sort(key=lambda one: (one.difference.series, [*LATENCY_STATS, ERROR_STAT].index(one.difference.stat)))
    single = min(len(base), len(new)) == 1
    corrected = _holm([one.difference.p for one in found])
    return [
        _decided(replace(one.difference, p=p, detectable=one.detectable(len(found), terms)), terms, single=single)
        for one, p in zip(found, corrected, strict=True)
    ]


@dataclass(frozen=True)
class _Tested:
    """A difference, and how sure the test of a latency is: the standard error, and its degrees of freedom."""

    difference: Difference
    error: float = 0.0
    freedom: float = 0.0

    def detectable(self, figures: int, terms: Terms) -> float | None:
        if not self.error:
            return None
        return max(smallest_change(self.error, self.freedom, figures, terms.confidence), terms.threshold)


def _common_names(runs: Sequence[Measurements]) -> list[Series]:
    """The operations that every run has attempts of."""
    named = [{of for of, one in run.latencies.items() if of.kind in _KINDS and one.count} for run in runs]
    return sorted(set.intersection(*named)) if named else []


def _figures(of: Series, stat: str, runs: Sequence[Measurements]) -> list[Measured]:
    selector = Selector(CATALOGUE[of.kind], (Filter(of.name),))
    found = [measure(selector, stat, run) for run in runs]
    return [one for one in found if one is not None]


def _positive(figures: Sequence[Measured]) -> bool:
    """Whether all have a logarithm; a percentile that falls on failed attempts has none, its error rate tells."""
    return all(0 < one.value < math.inf for one in figures)


Pair = tuple[Series, list[Measured], list[Measured]]


def _latencies(stat: str, pairs: Sequence[Pair], terms: Terms) -> Iterator[_Tested]:
    """Student's t test on the logarithms of the runs' figures, with the noise that was learnt or is assumed."""
    for (of, base, new), noise in zip(pairs, _noises(stat, pairs, terms), strict=True):
        error, freedom = noise.of_difference([len(base), len(new)])
        if math.isinf(error):  # of a single run whose samples are too few to say anything
            continue
        before, after = (sum(math.log(one.value) for one in side) / len(side) for side in (base, new))
        half = t_quantile(freedom, terms.confidence) * error
        change, low, high = (math.expm1(after - before + off) for off in (0.0, -half, half))
        p = t_two_sided((after - before) / error, freedom)
        figures = (math.exp(before), math.exp(after), change, low, high, math.expm1(half), p)
        spread = error / math.sqrt(1 / len(base) + 1 / len(new))
        yield _Tested(Difference(of, stat, *figures, spread=spread), error, freedom)


def _noises(stat: str, pairs: Sequence[Pair], terms: Terms) -> list[_Noise]:
    """The noise of each figure: variances from repeated runs, steadied by those of all operations."""
    assumed = terms.assumed_variance(stat)
    alone = [
        tuple(assumed + _own_spread(side[0]) ** 2 + _RESOLUTION**2 for side in (base, new)) for _, base, new in pairs
    ]
    logs = [[[math.log(one.value) for one in side] for side in (base, new)] for _, base, new in pairs]
    own_freedom = sum(len(side) for side in logs[0]) - 2 if logs else 0
    if not own_freedom:
        return [_Noise(0.0, 0.0, (before, after)) for before, after in alone]
    variances = [max(sum(map(_squares, sides)) / own_freedom, _RESOLUTION**2) for sides in logs]
    steadied, freedom = moderated(variances, own_freedom)
    return [_Noise(one, freedom, (before, after)) for one, (before, after) in zip(steadied, alone, strict=True)]


def _squares(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values)


def _own_spread(measured: Measured) -> float:
    """The standard deviation of the logarithm of one run's figure, as its interval shows it."""
    ends = (measured.low, measured.high)
    if any(end is None or end <= 0 or math.isinf(end) for end in ends):
        return math.inf
    return max(abs(math.log(end / measured.value)) for end in ends if end) / normal_quantile(0.95)


def _of_errors(of: Series, base: Sequence[Measured], new: Sequence[Measured], terms: Terms) -> Difference:
    (before, var_before), (after, var_after) = _error_rate(base), _error_rate(new)
    freedom = float(len(base) + len(new) - 2) or math.inf
    error = math.sqrt(var_before + var_after)
    p = t_two_sided((after - before) / error if error else 0.0, freedom)
    change, half = after - before, t_quantile(freedom, terms.confidence) * error
    return Difference(of, ERROR_STAT, before, after, change, change - half, change + half, half, p)


def _error_rate(runs: Sequence[Measured]) -> tuple[float, float]:
    """The rate over all runs, and the variance of it: that of the counts, or of the runs when they differ by more."""
    attempts = sum(one.samples for one in runs)
    errors = sum(one.value * one.samples for one in runs)
    rate = errors / attempts
    # Half an error more keeps the variance of "none" from being none.
    cautious = (errors + 0.5) / (attempts + 1)
    of_counts = cautious * (1 - cautious) / attempts
    if len(runs) < 2:
        return rate, of_counts
    of_runs = sum((one.value - rate) ** 2 for one in runs) / (len(runs) - 1) / len(runs)
    return rate, max(of_counts, of_runs)


def _holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction: the smallest times their number, the next times one less, never going down."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, highest = [1.0] * len(p_values), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, p_values[at] * (len(p_values) - rank)))
        corrected[at] = highest
    return corrected


def _decided(one: Difference, terms: Terms, *, single: bool) -> Difference:
    errors = one.stat == ERROR_STAT
    threshold = MIN_ERROR_INCREASE if errors else terms.threshold
    least = 0.0 if errors else MIN_SINGLE_MS if single else MIN_MS
    relevant = abs(one.change) > threshold and abs(one.new - one.base) >= least
    if relevant and one.p < 1 - terms.confidence:
        return replace(one, verdict=Change.WORSE if one.change > 0 else Change.BETTER)
    alike = -threshold <= one.low and one.high <= threshold
    noise = single and not errors and abs(one.change) <= terms.noise
    small = not errors and abs(one.new - one.base) < least
    return replace(one, verdict=Change.SAME if alike or noise or small else Change.UNCLEAR)
