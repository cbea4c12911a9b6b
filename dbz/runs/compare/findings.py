"""What a comparison of two sides finds: each figure with its verdict and sentence, and what could have been found."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from statistics import median_high
from typing import Any

from dbz.measure.budget.limits import format_value
from dbz.measure.compare.detection import runs_needed
from dbz.measure.compare.differences import ERROR_STAT, Change, Difference, compare
from dbz.measure.compare.terms import ComparisonTerms
from dbz.measure.latency.series import GENERATOR, SERVICE, UNFINISHED, Series
from dbz.runs.compare.comparable import cautions, profile_hash
from dbz.runs.compare.document import (
    ComparedCounter,
    ComparedFigure,
    Comparison,
    FailingOperation,
    Sensitivity,
    VanishedOperation,
)
from dbz.runs.compare.sides import Side, busier, quiet

_SOME_CHANGE = 0.005
"""Less than this is not worth a word."""
_EXPECTED = 10
"""So many expected attempts and none made happen by chance once in 20,000 cases."""
_INTERNAL = {GENERATOR, SERVICE, UNFINISHED}
"""Series that are no operations."""
_COUNTER = "counter"
WANTED = 0.10
"""The slowdown for which the number of runs is told."""


def compare_sides(all_base: Side, all_new: Side, terms: ComparisonTerms, forced: Sequence[str] = ()) -> Comparison:
    """The comparison of two sides that may be compared.

    Runs that something else on the machine disturbed are left out where enough others are there. Where the new runs
    were disturbed more than those of the base, no latency is called worse, and the other way round none better.
    """
    base, new = (quiet(side, terms) for side in (all_base, all_new))
    differences = compare(base.found, new.found, terms)
    excuses = {
        Change.WORSE: busier(new.runs, base.runs, terms.busy),
        Change.BETTER: busier(base.runs, new.runs, terms.busy),
    }
    figures = [_figure(one, excuses.get(one.verdict, ""), len(base.runs), len(new.runs)) for one in differences]
    return Comparison(
        base=[run.id for run in base.runs],
        new=[run.id for run in new.runs],
        profile_hash=profile_hash(new.runs[0].profile),
        forced=list(forced),
        cautions=[*cautions(base.runs[0], new.runs[-1]), *all_base.skipped, *all_new.skipped],
        threshold=terms.threshold,
        assumed_noise=terms.noise if min(len(base.runs), len(new.runs)) == 1 else None,
        figures=figures,
        counters=_counters(base, new),
        missing=_missing(base, new, figures),
        vanished=_vanished(base, new),
        failing=_failing(base, new),
        vanished_allowed=terms.allow_vanished,
        uncompared=_uncompared(base, new, figures),
        damaged=[*all_base.damaged, *all_new.damaged],
        left_out=[*_left_out(all_base, base), *_left_out(all_new, new)],
        doubts=[
            f"the machine was busy in the {side} runs ({excuse})"
            for side, excuse in zip(("new", "base"), excuses.values(), strict=True)
            if excuse
        ],
        sensitivity=_sensitivity(differences, terms),
    )


def _left_out(every: Side, some: Side) -> list[str]:
    kept = {run.id for run in some.runs}
    return [run.id for run in every.runs if run.id not in kept]


def _attempts(side: Side) -> dict[tuple[str, str], list[int]]:
    """How often each operation was attempted, a number for each run of a side."""
    named = {(of.kind, of.name) for found in side.found for of in found.latencies if of.kind not in _INTERNAL}
    return {
        (kind, name): [latency.count if (latency := run.latencies.get(Series(kind, name))) else 0 for run in side.found]
        for kind, name in sorted(named)
    }


def _made(side: Side) -> dict[tuple[str, str], list[int]]:
    """The same with the counters, and how often each was counted up."""
    names = sorted({name for found in side.found for name in found.counters})
    counted = {
        (_COUNTER, name): [run.counters[name].calls if name in run.counters else 0 for run in side.found]
        for name in names
    }
    return {**_attempts(side), **counted}


def _counters(base: Side, new: Side) -> list[ComparedCounter]:
    """Counters by the second over all runs of a side."""
    before, after = _rates(base), _rates(new)
    return [
        ComparedCounter(
            name=name,
            base_per_s=round(before[name], 6),
            new_per_s=round(after[name], 6),
            change=round(after[name] / before[name] - 1, 6) if before[name] else None,
        )
        for name in sorted(before.keys() & after.keys())
    ]


def _rates(side: Side) -> dict[str, float]:
    seconds = sum(found.seconds for found in side.found)
    totals: defaultdict[str, float] = defaultdict(float)
    for found in side.found:
        for name, counter in found.counters.items():
            totals[name] += counter.total
    return {name: total / seconds if seconds else 0.0 for name, total in totals.items()}


def _vanished(base: Side, new: Side) -> list[VanishedOperation]:
    """What the base makes so often that its absence from the new runs is no chance.

    A rare operation of a random mix may well be missing from a run, so it must have been made in every base run, and be
    expected many times in the time of the new ones.
    """
    before, after = _made(base), _made(new)
    base_s, new_s = (sum(found.seconds for found in side.found) for side in (base, new))
    appeared: dict[str, list[str]] = {}
    for kind, name in after.keys() - before.keys():
        appeared.setdefault(kind, []).append(name)
    vanished = []
    for (kind, name), counts in before.items():
        expected = sum(counts) / base_s * new_s if base_s else 0.0
        if min(counts) and expected >= _EXPECTED and not sum(after.get((kind, name), [])):
            near = difflib.get_close_matches(name, sorted(appeared.get(kind, [])), 1, cutoff=0.6)
            vanished.append(
                VanishedOperation(kind=kind, operation=name, attempts=sum(counts), renamed=near[0] if near else "")
            )
    return vanished


def _failing(base: Side, new: Side) -> list[FailingOperation]:
    """What only the new runs made and what failed there so often that its absence from the base is no chance.

    Attempts whose scenario code raises are such operations: where nothing raises, there are none.
    """
    before = _attempts(base).keys()
    base_s, new_s = (sum(found.seconds for found in side.found) for side in (base, new))
    failing = []
    for (kind, name), counts in _attempts(new).items():
        errors = sum(
            run.latencies[Series(kind, name)].errors for run in new.found if Series(kind, name) in run.latencies
        )
        if (kind, name) not in before and errors >= _EXPECTED and errors / new_s * base_s >= _EXPECTED:
            failing.append(FailingOperation(kind=kind, operation=name, attempts=sum(counts), errors=errors))
    return failing


def _uncompared(base: Side, new: Side, figures: Sequence[ComparedFigure]) -> list[str]:
    """The operations that both sides have, of which no figure came out."""
    compared = {(one.kind, one.operation) for one in figures}
    return [f"{kind} {name}" for kind, name in sorted((_attempts(base).keys() & _attempts(new).keys()) - compared)]


def _missing(base: Side, new: Side, figures: Sequence[ComparedFigure]) -> list[str]:
    """Which operations only one side has, a text for each side."""
    names = [set(_made(side)) for side in (base, new)]
    compared = {(one.kind, one.operation) for one in figures}
    only = [
        sorted(name for kind, name in here - there if (kind, name) not in compared)
        for here, there in (names, reversed(names))
    ]
    return [
        f"only in the {side} runs: {', '.join(some)}" for side, some in zip(("base", "new"), only, strict=True) if some
    ]


def _figure(one: Difference, excuse: str, base_runs: int, new_runs: int) -> ComparedFigure:
    """A difference as it is kept; what the machine may explain is unclear, but for errors, which have other reasons."""
    excused = bool(excuse) and one.stat != ERROR_STAT
    one = replace(one, verdict=Change.UNCLEAR) if excused else one
    keys = ("base", "new", "change", "low", "high", "noise", "p", "detectable", "shared")
    numbers: dict[str, Any] = {key: None if getattr(one, key) is None else round(getattr(one, key), 6) for key in keys}
    return ComparedFigure(
        kind=one.series.kind,
        operation=one.series.name,
        stat=one.stat,
        **numbers,
        verdict=one.verdict,
        sentence=_sentence(one, base_runs, new_runs),
    )


def _sentence(one: Difference, base_runs: int, new_runs: int) -> str:
    """Which operation, how much, and how sure."""
    errors = one.stat == ERROR_STAT
    unit, points = ("%", " points") if errors else ("ms", " %")
    amount = f"{abs(one.change) * 100:.3g}{points}"
    became = {
        Change.WORSE: f"has {amount} more errors" if errors else f"is {amount} slower",
        Change.BETTER: f"has {amount} fewer errors" if errors else f"is {amount} faster",
        Change.SAME: "is the same",
        Change.UNCLEAR: f"may be {amount} {'slower' if one.change > 0 else 'faster'}",
    }
    if errors:
        became[Change.UNCLEAR] = f"may have {amount} {'more' if one.change > 0 else 'fewer'} errors"
    beside = f", beside {one.shared * 100:+.2g} % of all operations" if abs(one.shared) >= _SOME_CHANGE else ""
    chance = "p < 0.0001" if one.p < 0.0001 else f"p = {one.p:.2g}"
    return (
        f"{one.series.kind} {one.series.name} {became[one.verdict]}{beside}: {'' if errors else one.stat + ' '}"
        f"{format_value(one.new, unit)}, before {format_value(one.base, unit)} "
        f"(95 % interval {one.low * 100:+.3g} to {one.high * 100:+.3g}{points}, {chance}, "
        f"{new_runs} run{'s' if new_runs > 1 else ''} against {base_runs})"
    )


def _sensitivity(differences: Sequence[Difference], terms: ComparisonTerms) -> Sensitivity | None:
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
