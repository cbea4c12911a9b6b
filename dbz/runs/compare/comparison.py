"""Runs against runs: finding them, refusing what cannot be compared, and putting the result into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dbz.errors import UsageError
from dbz.measure.budget.baseline import judge_together, judged_together
from dbz.measure.budget.budgets import Treatment
from dbz.measure.budget.limits import format_value
from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.verdicts import Outcome, Verdict
from dbz.measure.compare.comparison import ERROR_STAT, Change, Difference, compare
from dbz.measure.compare.terms import ComparisonTerms
from dbz.runs.aggregate import measurements
from dbz.runs.compare.comparable import cautions, obstacles, profile_hash, untrusted
from dbz.runs.compare.document import ComparedFigure, Comparison
from dbz.runs.compare.machine import busier, quiet_places
from dbz.runs.compare.sensitivity import sensitivity_of
from dbz.runs.folder import RunFolder, find_run, list_runs
from dbz.runs.reading import read_record
from dbz.runs.schema import Run

_SOME_CHANGE = 0.005
"""Less than this is not worth a word."""
FORCE_HINT = "compare runs of one profile, or take the figures as they are with --force"


def find_runs(reports: Path, name: str) -> list[RunFolder]:
    """The runs that a name stands for: those of a folder of runs, or the one that a path, an id or `latest` names."""
    inside = list_runs(Path(name)) if Path(name).is_dir() else []
    return inside or [find_run(reports, name)]


class Side:
    """Repeated runs of the same code, with their measurements.

    Where some can be trusted, those that cannot are `skipped`: a sentence each.
    """

    def __init__(self, folders: Sequence[RunFolder]) -> None:
        runs = [(folder, folder.load()) for folder in folders]
        trusted = [(folder, run) for folder, run in runs if not untrusted(run)] or runs
        self.runs = [run for _, run in trusted]
        self.skipped = [
            f"{run.id} is {run.verdict.value} and was left out"
            for _, run in runs
            if trusted is not runs and untrusted(run)
        ]
        records = [read_record(folder) for folder, _ in trusted]
        self.found: list[Measurements] = [measurements(record, record.window) for record in records]

    def add(self, run: Run, found: Measurements) -> None:
        """Add a run that has just been measured."""
        self.runs.append(run)
        self.found.append(found)

    def of(self, places: Sequence[int]) -> Side:
        """The side with some of its runs only."""
        some = Side(())
        for at in places:
            some.add(self.runs[at], self.found[at])
        return some


def refuse_incomparable(base: Sequence[Run], new: Sequence[Run], *, force: bool) -> list[str]:
    """What speaks against a comparison; `UsageError` with all of it unless it is forced."""
    first = base[0]
    against = [text for run in (*base[1:], *new) for text in obstacles(first, run)]
    return refused(against, force=force)


def refused(against: Sequence[str], *, force: bool) -> list[str]:
    """What speaks against a comparison, each once; `UsageError` unless it is forced."""
    every = list(dict.fromkeys(against))
    if every and not force:
        raise UsageError("these runs cannot be compared:\n  " + "\n  ".join(every), hint=FORCE_HINT)
    return every


@dataclass(frozen=True)
class Baseline:
    """What a run is compared with, on which terms; `forced` says why it should not be.

    `earlier` are runs of the same code as the one that is compared, which make its side.
    """

    side: Side
    terms: ComparisonTerms
    forced: tuple[str, ...] = ()
    earlier: tuple[RunFolder, ...] = ()

    def compare(self, run: Run, found: Measurements) -> Comparison:
        """The comparison with a run that has just been measured."""
        return compare_sides(self.side, self._new(run, found), self.terms, self.forced)

    def judge(self, verdicts: Sequence[Verdict], run: Run, found: Measurements) -> list[Verdict]:
        """The verdicts on a run that has just been measured: limits relative to the baseline are judged over all runs,
        and not broken by a machine that was busier than for the baseline."""
        base, new = _quiet(self.side, self.terms), _quiet(self._new(run, found), self.terms)
        excuse = busier(new.runs, base.runs, self.terms.busy)
        return [one if one.budget.limit.allowance is None else _relative(one, base, new, excuse) for one in verdicts]

    def _new(self, run: Run, found: Measurements) -> Side:
        new = self._earlier.of(range(len(self._earlier.runs)))
        new.add(run, found)
        return new

    @cached_property
    def _earlier(self) -> Side:
        return Side(self.earlier)


def _quiet(side: Side, terms: ComparisonTerms) -> Side:
    """A side without the runs that something else on the machine disturbed."""
    return side.of(quiet_places(side.runs, terms.busy))


def _relative(one: Verdict, base: Side, new: Side, excuse: str) -> Verdict:
    """A verdict on a limit relative to the baseline, over all new runs where they can be judged together."""
    if judged_together(one.budget):
        one = judge_together(one.budget, base.found, new.found) or one
    if not excuse or one.outcome is not Outcome.BROKEN or one.budget.limit.unit != "ms":
        return one
    rule = replace(one.budget.rule, inconclusive=Treatment.PASS)
    note = "; ".join(part for part in (one.note, f"the machine was busy: {excuse}") if part)
    return replace(one, outcome=Outcome.INCONCLUSIVE, budget=replace(one.budget, rule=rule), note=note)


def compare_sides(all_base: Side, all_new: Side, terms: ComparisonTerms, forced: Sequence[str] = ()) -> Comparison:
    """The comparison of two sides that may be compared.

    Runs that something else on the machine disturbed are left out where enough others are there. Where the new runs
    were disturbed more than those of the base, no latency is called worse, and the other way round none better.
    """
    base, new = (_quiet(side, terms) for side in (all_base, all_new))
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
        missing=_missing(base, new, figures),
        left_out=[*_left_out(all_base, base), *_left_out(all_new, new)],
        doubts=[
            f"the machine was busy in the {side} runs ({excuse})"
            for side, excuse in zip(("new", "base"), excuses.values(), strict=True)
            if excuse
        ],
        sensitivity=sensitivity_of(differences, terms),
    )


def _left_out(every: Side, some: Side) -> list[str]:
    kept = {run.id for run in some.runs}
    return [run.id for run in every.runs if run.id not in kept]


def _missing(base: Side, new: Side, figures: Sequence[ComparedFigure]) -> list[str]:
    """Which operations only one side has, a text for each side."""
    names = [{(of.kind, of.name) for found in side.found for of in found.latencies} for side in (base, new)]
    compared = {(one.kind, one.operation) for one in figures}
    only = [
        sorted(
            name
            for kind, name in here - there
            if (kind, name) not in compared and kind not in ("generator", "service", "unfinished")
        )
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
