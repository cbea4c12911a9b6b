"""Files of other tools, judged by budgets, as a run that was not made here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import dbz
from dbz.measure.budget.budgets import Budget
from dbz.measure.budget.verdicts import Effect, anything_decided, judge, unmatched_filters
from dbz.runs.aggregate import operations
from dbz.runs.conclude import budget_result, undecided_reasons
from dbz.runs.imports.reading import read_file, together
from dbz.runs.schema import Run, RunVerdict

NAME = "imported"


def judge_files(paths: Sequence[Path], budgets: Sequence[Budget]) -> tuple[Run, list[str]]:
    """The verdict over all files together, and notes on how their tools measure; `UsageError` for a file that is wrong.

    Without a single budget that was measured the result is not valid: nothing was judged.
    """
    imported = [(path, read_file(path)) for path in paths]
    found = together(imported)
    if not found.latencies and not found.summaries.by_series:
        # A trace of a device says nothing of a load, so what a load is required to have is not asked of it.
        budgets = [budget for budget in budgets if _about_imports(budget)]
    verdicts = judge(budgets, found)
    invalid = undecided_reasons(verdicts)
    misspelt = unmatched_filters(budgets, found)
    if not anything_decided(verdicts):
        invalid = ["nothing was judged: no budget is about anything that these files have", *misspelt, *invalid]
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
    return run, list(dict.fromkeys([*misspelt, *(note for _, one in imported for note in one.notes)]))


def _about_imports(budget: Budget) -> bool:
    selectors = [budget.of, *([budget.instead[1]] if budget.instead else [])]
    return any(selector.metric.name.startswith("import.") for selector in selectors)
