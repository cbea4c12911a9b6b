"""Is the new code slower? Runs against runs, operation by operation, with noise taken for what it is.

The figure of one run is one sample: what two runs of the same code differ by is the noise, and only repeated runs show
it; however long a single run is, it says nothing about that (`latency_tests`). Many operations are looked at together,
so the p-values are corrected after Holm (S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979): in 95
of 100 comparisons of equal code nothing at all is found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from dbz.measure.budget.measured import Measured
from dbz.measure.budget.measuring import Measurements, measure
from dbz.measure.budget.metrics import CATALOGUE, Filter, Selector
from dbz.measure.compare.detection import smallest_change
from dbz.measure.compare.latency_tests import LatencyTest, Pair, latency_tests
from dbz.measure.compare.terms import ComparisonTerms
from dbz.measure.latency.series import OPERATION_KINDS, Series
from dbz.measure.student import t_quantile, t_two_sided

LATENCY_STATS = ("p50", "p95")
ERROR_STAT = "error_rate"
MIN_ERROR_INCREASE = 0.001
"""Error rates that differ by less than this share of all attempts are not worth an alarm."""
MIN_MS = 0.1
"""Latencies that differ by less are the machine's business rather than the server's."""
MIN_SINGLE_MS = 0.5
"""The same where a side has a single run."""


class Change(StrEnum):
    """What became of one figure."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "same"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Difference:
    """One statistic of one operation, before and after."""

    series: Series
    stat: str
    base: float
    """The value before: ms, or a share of all attempts."""
    new: float
    change: float
    """As a share of the base value (0.1 is 10 % more); of an error rate the difference."""
    low: float
    """The lower end of the interval of `change`."""
    high: float
    noise: float
    """The smallest change that these runs can tell from none if it were the only figure."""
    p: float
    """The corrected p-value."""
    verdict: Change = Change.UNCLEAR
    spread: float = 0.0
    """The standard deviation of the logarithm of one run's latency."""
    detectable: float | None = None
    """The smallest increase of a latency that is found in nine of ten cases among all figures, as a share."""
    shared: float = 0.0
    """What all operations changed by together, where `change` is beside that."""
    test: LatencyTest | None = field(default=None, repr=False)
    """The test behind it; None for error rates."""


def compare(base: Sequence[Measurements], new: Sequence[Measurements], terms: ComparisonTerms) -> list[Difference]:
    """All figures that both sides have, each with its verdict; the sides are repeated runs of the same code each."""
    found: list[Difference] = []
    names = _common_names([*base, *new])
    for stat in LATENCY_STATS:
        pairs = [Pair(of, _figures(of, stat, base), _figures(of, stat, new)) for of in names]
        usable = [pair for pair in pairs if _positive(pair.base) and _positive(pair.new)]
        found += [_of_test(stat, test, terms) for test in latency_tests(stat, usable, terms)]
    for of in names:
        before, after = _figures(of, ERROR_STAT, base), _figures(of, ERROR_STAT, new)
        if any(one.value for one in (*before, *after)):  # none on either side is nothing to test
            found.append(_of_errors(of, before, after, terms))
    found.sort(key=lambda one: (one.series, [*LATENCY_STATS, ERROR_STAT].index(one.stat)))
    single = min(len(base), len(new)) == 1
    corrected = _holm([one.p for one in found])
    return [
        _decided(_among(one, p, len(found), terms), terms, single=single)
        for one, p in zip(found, corrected, strict=True)
    ]


def _of_test(stat: str, test: LatencyTest, terms: ComparisonTerms) -> Difference:
    half = t_quantile(test.freedom, terms.confidence) * test.error
    change, low, high = (math.expm1(test.change + off) for off in (0.0, -half, half))
    return Difference(
        test.series, stat, math.exp(test.before), math.exp(test.after), change, low, high, math.expm1(half), test.p,
        spread=test.spread, shared=math.expm1(test.shared), test=test,
    )  # fmt: skip


def _among(one: Difference, p: float, figures: int, terms: ComparisonTerms) -> Difference:
    """A difference with its corrected p-value, and what it would show among so many figures."""
    if one.test is None:
        return replace(one, p=p)
    looks = figures * one.test.looks
    smallest = smallest_change(one.test.exact_error, one.test.freedom, looks, terms.confidence)
    return replace(one, p=p, detectable=max(smallest, terms.threshold))


def _common_names(runs: Sequence[Measurements]) -> list[Series]:
    """The operations that every run has attempts of."""
    named = [{of for of, one in run.latencies.items() if of.kind in OPERATION_KINDS and one.count} for run in runs]
    return sorted(set.intersection(*named)) if named else []


def _figures(of: Series, stat: str, runs: Sequence[Measurements]) -> list[Measured]:
    selector = Selector(CATALOGUE[of.kind], (Filter(of.name, exact=True),))
    found = [measure(selector, stat, run) for run in runs]
    return [one for one in found if one is not None]


def _positive(figures: Sequence[Measured]) -> bool:
    """Whether all have a logarithm; a percentile that falls on failed attempts has none, its error rate tells."""
    return all(0 < one.value < math.inf for one in figures)


def _of_errors(of: Series, base: Sequence[Measured], new: Sequence[Measured], terms: ComparisonTerms) -> Difference:
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


def _decided(one: Difference, terms: ComparisonTerms, *, single: bool) -> Difference:
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
