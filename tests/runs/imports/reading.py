"""Reading result files in tests: one figure of one file, and the verdict over several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dbz.measure.budget.budgets import Budget, parse_budget
from dbz.measure.budget.measured import Measured
from dbz.measure.budget.measuring import Measurements, measure
from dbz.measure.budget.metrics import parse_selector
from dbz.runs.conclude import EXIT_CODES
from dbz.runs.imports.judging import judge_files
from dbz.runs.imports.reading import read_files, together
from dbz.runs.schema import Run

FILES = Path(__file__).parent / "files"


def written(folder: Path, data: Any, name: str = "result.json") -> Path:
    """A file with this JSON, or with this text or these bytes."""
    path = folder / name
    raw = data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
    path.write_bytes(raw)
    return path


def found_in(*paths: Path) -> Measurements:
    """All that files say together."""
    return together(read_files(paths))


def figure_of(path: Path, of: str, stat: str) -> Measured | None:
    """One figure of one file."""
    return measure(parse_selector(of), stat, found_in(path))


def value_of(path: Path, of: str, stat: str) -> float | None:
    """Its value; None when it is not measured, or only known from one end."""
    one = figure_of(path, of, stat)
    return one.value if one and not one.only_known else None


def judged(paths: Sequence[Path], *budgets: Budget) -> tuple[int, Run]:
    """The exit code and the run that comes of judging files."""
    run, _ = judge_files(paths, budgets)
    return int(EXIT_CODES[run.verdict]), run


def budget(of: str, stat: str, limit: str, *, required: bool = False) -> Budget:
    """A budget named after what it is about."""
    return parse_budget(f"{stat} of {of}", of, stat, limit, required=required)
