"""Opening a run for reporting: `run.json` and the record, also when dbz was killed before it could judge."""

from __future__ import annotations

import math
from dataclasses import replace

from dbz.measure.budget.budgets import Budget, budget_of
from dbz.measure.budget.limits import Limit
from dbz.measure.budget.metrics import parse_selector
from dbz.runs.conclude import conclude
from dbz.runs.schema import BudgetResult, Run, RunVerdict
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import Record, read_record


def open_run(folder: RunFolder) -> tuple[Run, Record]:
    """A run and its record; `UsageError` when the folder holds none.

    A run that is still `running` (or whose dbz was killed) is judged over what its record holds so far, by the budgets
    that its `run.json` names, and stays `running`.
    """
    run, record = folder.load(), read_record(folder)
    return _so_far(run, record) if run.verdict is RunVerdict.RUNNING else run, record


def open_conclusion(folder: RunFolder) -> Run:
    """The same without the record, which is read only of a run that has no conclusion yet."""
    run = folder.load()
    return _so_far(run, read_record(folder)) if run.verdict is RunVerdict.RUNNING else run


def _so_far(run: Run, record: Record) -> Run:
    so_far = conclude(run, record, [_budget(result) for result in run.budgets])
    return so_far.model_copy(update={"verdict": RunVerdict.RUNNING})


def _budget(result: BudgetResult) -> Budget:
    if not result.terms:  # written before budgets kept their texts
        limit = Limit(result.op, math.nan if result.limit is None else result.limit, result.unit)
        return Budget(result.name, parse_selector(result.of), result.stat, limit, result.required)
    budget = budget_of(result.name, result.terms, required=result.required)
    if result.limit is None or result.allowance is None:
        return budget
    return replace(budget, limit=replace(budget.limit, value=result.limit))
