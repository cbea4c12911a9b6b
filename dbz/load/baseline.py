"""Planning a load that is judged against earlier runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from dbz.load.run import LoadPlan, new_run
from dbz.measure.budget.baseline import against
from dbz.measure.compare.terms import ComparisonTerms
from dbz.runs.compare.comparable import load_differences, untrusted
from dbz.runs.compare.comparison import Baseline, Side, find_runs, refused


def plan_against(
    plan: LoadPlan, name: str, reports: Path, terms: ComparisonTerms, *, force: bool, repeat: int = 1
) -> LoadPlan:
    """The plan with the baseline that `name` stands for: a run, `latest`, or a folder of repeated runs.

    Limits that are relative to a baseline get their values; `repeat` runs will be held against it. `UsageError` when
    there is no such run, or when what is planned cannot be compared with it and is not forced.
    """
    side = Side(find_runs(reports, name))
    planned = new_run(plan, "this run", datetime.now(UTC))
    found = [text for run in side.runs for text in (*untrusted(run), *load_differences(run, planned))]
    forced = refused(found, force=force)
    baseline = Baseline(side, terms, tuple(forced))
    return replace(plan, baseline=baseline, budgets=against(plan.budgets, side.found, terms, runs=repeat))
