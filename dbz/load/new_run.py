"""A planned load as a run: what is known of it at its start, and the baseline that it is held against."""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import dbz
from dbz.load.planning.plan import LoadPlan
from dbz.masking import masked_url
from dbz.measure.budget.relative import against
from dbz.measure.compare.terms import ComparisonTerms
from dbz.runs.compare.baseline import Baseline
from dbz.runs.compare.comparable import load_differences, refused, untrusted
from dbz.runs.compare.sides import LATEST, Side, find_runs, newest_comparable
from dbz.runs.conclude import unjudged
from dbz.runs.schema import Run


def plan_against(
    plan: LoadPlan, name: str, reports: Path, terms: ComparisonTerms, *, force: bool, repeat: int = 1
) -> LoadPlan:
    """The plan with the baseline that `name` stands for: a run, a folder of repeated runs, or `latest`, the newest run
    that can be compared with what is planned; without one the plan is as it was.

    Limits that are relative to a baseline get their values; `repeat` runs will be held against it. `UsageError` when
    there is no such run, or when what is planned cannot be compared with it and is not forced.
    """
    planned = new_run(plan, "this run", datetime.now(UTC))
    if name == LATEST:
        newest = newest_comparable(reports, planned, force=force)
        if newest is None:
            return plan
        side = Side([newest])
    else:
        side = Side(find_runs(reports, name))
    found = [text for run in side.runs for text in (*untrusted(run), *load_differences(run, planned))]
    forced = refused(found, force=force)
    baseline = Baseline(side, terms, tuple(forced))
    return replace(plan, baseline=baseline, budgets=against(plan.budgets, side.found, terms, runs=repeat))


def new_run(plan: LoadPlan, run_id: str, started: datetime) -> Run:
    """The run as it is known at its start."""
    return Run(
        id=run_id,
        started=started.astimezone(UTC).isoformat(timespec="seconds"),
        profile=plan.profile.plain,
        target=masked_url(plan.target),
        embedded=plan.embedded,
        seed=plan.profile.seed,
        versions={"dbz": dbz.__version__, "python": platform.python_version(), "locust": version("locust")},
        environment=_environment(),
        budgets=unjudged(plan.budgets),
    )


def _environment() -> dict[str, object]:
    return {"platform": platform.platform(), "cpus": os.cpu_count()}
