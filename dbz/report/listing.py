"""The list of runs as JSON, schema `dbz.runs/1`, and that of metrics."""

from __future__ import annotations

import json
from collections.abc import Iterable

from dbz.measure.budget.metrics import CATALOGUE
from dbz.runs.folder import RunFolder
from dbz.runs.schema import Run

SCHEMA = "dbz.runs/1"
METRICS_SCHEMA = "dbz.metrics/1"


def list_json(runs: Iterable[tuple[RunFolder, Run]]) -> str:
    """One object a run, in the order given: what it was, its verdict, and the folder that holds the rest."""
    rows = [_row(folder, run) for folder, run in runs]
    return json.dumps({"schema": SCHEMA, "runs": rows}, indent=1)


def metrics_json() -> str:
    """What a budget can be about, schema `dbz.metrics/1`."""
    rows = [
        {"name": one.name, "label": one.label, "unit": one.unit, "statistics": list(one.stats), "about": one.about}
        for one in CATALOGUE.values()
    ]
    return json.dumps({"schema": METRICS_SCHEMA, "metrics": rows}, indent=1, ensure_ascii=False)


def _row(folder: RunFolder, run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "started": run.started,
        "profile": run.profile.get("name"),
        "target": run.target,
        "verdict": run.verdict.value,
        "duration_s": run.duration_s,
        "users_held": run.users_held,
        "folder": str(folder.path),
    }
