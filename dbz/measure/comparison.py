"""Is the new code slower? Runs against runs, operation by operation, with noise taken for what it is.

The figure of one run is one sample: what two runs of the same code differ by is the noise, and only repeated runs show
it. With several runs of a side, the logarithms of their figures go through Student's t test with a pooled deviation.
With one run of each, the intervals of the two figures stand for the runs, and a difference must stand out by more than
an assumed noise. Many operations are looked at together, so the p-values are corrected after Holm (S. Holm, A Simple
Sequentially Rejective Multiple Test Procedure, 1979): in 95 of 100 comparisons of equal code nothing at all is found.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import NormalDist

from dbz.measure.confidence import normal_quantile
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
MIN_SINGLE_MS = 0.5
"""Of single runs, latencies that differ by less are the generator's business rather than the server's."""
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

    `noise` is what single runs of the same code are assumed to differ by; all are shares of the base value.
    """

    threshold: float = 0.05
    noise: float = 0.10
    confidence: float = 0.95


@dataclass(frozen=True)
class Difference:
    """One statistic of one operation, before and after.

    `change`, `low` and `high` are shares of the base value (0.1 is 10 % more; error rates: of all attempts). `noise` is
    the smallest change that these runs can tell from none. `p` is the corrected p-value.
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


def compare(base: Sequence[Measurements], new: Sequence[Measurements], terms: Terms) -> list[Difference]:
    """All figures that both sides have, each with its verdict; the sides are repeated runs of the same code each."""
    found: list[Difference] = []
    names = _common_names([*base, *new])
    for stat in LATENCY_STATS:
        pairs = [(of, _figures(of, stat, base), _figures(of, stat, new)) for of in names]
        usable = [(of, before, after) for of, before, after in pairs if _positive(before) and _positive(after)]
        found += _of_runs(stat, usable, terms) if len(base) + len(new) > 2 else _of_single_runs(stat, usable, terms)
    for of in names:
        before, after = _figures(of, ERROR_STAT, base), _figures(of, ERROR_STAT, new)
        if any(one.value for one in (*before, *after)):  # none on either side is nothing to test
            found.append(_of_errors(of, before, after, terms))
    found.sort(key=lambda one: (one.series, LATENCY_STATS.index(one.stat) if one.stat in LATENCY_STATS else 9))
    single = len(base) == len(new) == 1
    corrected = _holm([one.p for one in found])
    return [_decided(replace(one, p=p), terms, single=single) for one, p in zip(found, corrected, strict=True)]


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


def _of_runs(stat: str, pairs: Sequence[Pair], terms: Terms) -> Iterator[Difference]:
    """Student's t test on the logarithms of the runs' figures, with variances steadied by those of all operations."""
    logs = [[[math.log(one.value) for one in side] for side in (base, new)] for _, base, new in pairs]
    if not logs:
        return
    counts = [len(side) for side in logs[0]]
    own_freedom = sum(counts) - 2
    variances = [max(sum(map(_squares, sides)) / own_freedom, _RESOLUTION**2) for sides in logs]
    steadied, freedom = moderated(variances, own_freedom)
    for (of, _, _), sides, variance in zip(pairs, logs, steadied, strict=True):
        before, after = (sum(side) / len(side) for side in sides)
        error = math.sqrt(variance * (1 / counts[0] + 1 / counts[1]))
        half = t_quantile(freedom, terms.confidence) * error
        yield _of_logs(of, stat, before, after, half, math.expm1(half), t_two_sided((after - before) / error, freedom))


def _squares(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values)


def _of_single_runs(stat: str, pairs: Sequence[Pair], terms: Terms) -> Iterator[Difference]:
    """A test of whether the change is beyond the assumed noise, with the runs' own intervals as its uncertainty."""
    for of, (base,), (new,) in pairs:
        error = math.hypot(_own_spread(base), _own_spread(new), _RESOLUTION)
        if math.isinf(error):
            continue
        before, after = math.log(base.value), math.log(new.value)
        assumed = math.log1p(terms.noise)
        half = normal_quantile(terms.confidence) * error
        p = 2 * (1 - NormalDist().cdf(max(abs(after - before) - assumed, 0.0) / error))
        yield _of_logs(of, stat, before, after, half, math.expm1(half + assumed), p)


def _of_logs(of: Series, stat: str, before: float, after: float, half: float, noise: float, p: float) -> Difference:
    change, low, high = (math.expm1(after - before + off) for off in (0.0, -half, half))
    return Difference(of, stat, math.exp(before), math.exp(after), change, low, high, noise, p)


def _own_spread(measured: Measured) -> float:
    """The standard deviation of the logarithm of one run's figure, as its interval shows it."""
    ends = (measured.low, measured.high)
    if any(end is None or end <= 0 or math.isinf(end) for end in ends):
        return math.inf
    return max(abs(math.log(end / measured.value)) for end in ends if end) / normal_quantile(0.95)


def _of_errors(of: Series, base: Sequence[Measured], new: Sequence[Measured], terms: Terms) -> Difference:
    (before, var_before), (after, var_after) = _error_rate(base), _error_rate(new)
    freedom = len(base) + len(new) - 2
    error = math.sqrt(var_before + var_after)
    quantile = t_quantile(freedom, terms.confidence) if freedom else normal_quantile(terms.confidence)
    away = (after - before) / error if error else 0.0
    p = t_two_sided(away, freedom) if freedom else 2 * (1 - NormalDist().cdf(abs(away)))
    change, half = after - before, quantile * error
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
    relevant = abs(one.change) > threshold and not (single and not errors and abs(one.new - one.base) < MIN_SINGLE_MS)
    if relevant and one.p < 1 - terms.confidence:
        return replace(one, verdict=Change.WORSE if one.change > 0 else Change.BETTER)
    alike = -threshold <= one.low and one.high <= threshold
    assumed = single and not errors and abs(one.change) <= terms.noise
    return replace(one, verdict=Change.SAME if alike or assumed else Change.UNCLEAR)
