"""Files of other tools, judged by budgets, as a run that was not made here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import dbz
from dbz.measure.budget.budgets import Budget
from dbz.measure.budget.by_page import alternative_of_page, of_page
from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.verdicts import (
    Effect,
    Outcome,
    Verdict,
    anything_decided,
    judge,
    misspelt_filters,
    unmatched_filters,
)
from dbz.runs.aggregate import operations
from dbz.runs.conclude import budget_result, undecided_reasons
from dbz.runs.imports.reading import read_files, together
from dbz.runs.schema import Run, RunVerdict

NAME = "imported"


def judge_files(paths: Sequence[Path], budgets: Sequence[Budget]) -> tuple[Run, list[str]]:
    """The verdict over all files together, and notes on how their tools measure; `UsageError` for a file that is wrong.

    Without a single budget that was measured the result is not valid: nothing was judged. A page is judged by itself:
    a slow one is not made good by a quick one.
    """
    imported = read_files(paths)
    found = together(imported)
    if not found.latencies and not found.summaries.by_series and (found.gauges or found.parts):
        # A trace of a device says nothing of a load, so what a load is required to have is not asked of it.
        budgets = [budget for budget in budgets if _about_imports(budget)]
    verdicts = [
        _without_time(one) for one in judge([each for budget in budgets for each in _by_page(budget, found)], found)
    ]
    invalid = [*(text for _, one in imported for text in one.invalid), *undecided_reasons(verdicts)]
    misspelt = misspelt_filters(budgets, found)
    unmeasured = [f"{one.budget.name}: {one.note}" for one in verdicts if _worth_saying(one)]
    if not anything_decided(verdicts) and not _missed(verdicts, found):
        misspelt = unmatched_filters(budgets, found)
        nothing = "nothing was judged: no budget is about anything that these files have"
        invalid = [nothing, *dict.fromkeys([*misspelt, *unmeasured]), *invalid]
    broken = [verdict.reason for verdict in verdicts if verdict.effect is Effect.FAIL]
    verdict = RunVerdict.INVALID if invalid else RunVerdict.FAIL if broken else RunVerdict.PASS
    tools = sorted({one.tool for _, one in imported})
    run = Run(
        id=NAME,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        profile={"name": f"{NAME} from {', '.join(tools)}"},
        target=", ".join(path.name for path in paths),
        seed=0,
        versions={"dbz": dbz.__version__},
        verdict=verdict,
        reasons=[*invalid, *broken],
        notes=misspelt,
        budgets=[budget_result(one) for one in verdicts],
        operations=operations(found) if found.seconds else [],
    )
    said = [text for text in (*misspelt, *unmeasured) if text not in invalid]
    return run, list(dict.fromkeys([*said, *(note for _, one in imported for note in one.notes)]))


def _worth_saying(verdict: Verdict) -> bool:
    """Whether a figure is missing for a reason that its budget's author will want to know: not so of a budget that
    names other figures instead, or that says itself why the run is broken."""
    return (
        verdict.outcome is Outcome.NOT_MEASURED
        and bool(verdict.note)
        and not verdict.budget.instead
        and verdict.effect not in (Effect.FAIL, Effect.INVALID)
    )


def _without_time(verdict: Verdict) -> Verdict:
    """A verdict on a budget of stretches of time, of which files of totals say nothing.

    Where all of the time breaks a limit that must hold in every stretch, one of them does.
    """
    windows, after_s = verdict.budget.windows, verdict.budget.after_s
    if not (windows or after_s) or verdict.measured is None:
        return verdict
    if verdict.outcome is Outcome.BROKEN and not after_s and windows and windows.share == 1:
        return verdict
    note = f"the files do not say what happened when, which '{'window' if windows else 'after'}' asks for"
    return Verdict(verdict.budget, Outcome.NOT_MEASURED, note=note)


def _by_page(budget: Budget, found: Measurements) -> list[Budget]:
    """The budget for each page that it is about, where there are several."""
    places = [place for place, one in enumerate(budget.instead) if one.of.metric.label == "page"]
    selector = budget.instead[places[0]].of if places else budget.of
    pages = found.parts.get(selector.metric.name, {}) if selector.metric.label == "page" else {}
    names = [name for name in pages if selector.matches(name)]
    if len(names) < 2:
        return [budget]
    if places:
        return [alternative_of_page(budget, name, places[0]) for name in names]
    return [of_page(budget, name, selector) for name in names]


def _missed(verdicts: Sequence[Verdict], found: Measurements) -> bool:
    """Whether a required figure is missing of attempts that were made: the run fails, and is not without anything to
    judge."""
    return any(
        one.outcome is Outcome.NOT_MEASURED and one.budget.required and found.summaries.attempts(one.budget.of)
        for one in verdicts
    )


def _about_imports(budget: Budget) -> bool:
    selectors = [budget.of, *(one.of for one in budget.instead)]
    return any(selector.metric.name.startswith("import.") for selector in selectors)
