"""What a comparison could have found: the smallest slowdown, and how many runs would find a smaller one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median_high

from dbz.measure.compare.comparison import Difference
from dbz.measure.compare.detection import runs_needed
from dbz.measure.compare.terms import ComparisonTerms
from dbz.measure.latency.series import Series
from dbz.runs.compare.document import Sensitivity

WANTED = 0.10
"""The slowdown for which the number of runs is told."""


def sensitivity_of(differences: Sequence[Difference], terms: ComparisonTerms) -> Sensitivity | None:
    """The sensitivity of a comparison with these results; None when no latency was compared.

    An operation is as sensitive as the less noisy one of its figures.
    """
    best: dict[Series, float] = {}
    spreads: defaultdict[Series, list[float]] = defaultdict(list)
    for one in differences:
        if one.detectable is not None:
            best[one.series] = min(best.get(one.series, one.detectable), one.detectable)
            spreads[one.series].append(one.spread)
    if not best:
        return None
    worst = max(best, key=best.__getitem__)
    looks = sum(one.test.looks if one.test else 1 for one in differences)
    noisiest = max(min(several) for several in spreads.values())
    return Sensitivity(
        typical=round(median_high(best.values()), 4),
        worst=round(best[worst], 4),
        worst_operation=f"{worst.kind} {worst.name}",
        wanted=WANTED,
        runs=runs_needed(noisiest, WANTED, looks, terms.confidence),
    )
