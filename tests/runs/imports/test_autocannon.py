"""autocannon: what it says itself, with failures counted as failures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from dbz.errors import UsageError
from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import FILES, figure_of, value_of, written

REAL: dict[str, Any] = json.loads((FILES / "autocannon.json").read_text())


def report(folder: Path, *, latency: dict[str, Any] | None = None, **counts: int) -> Path:
    """A report of these counts; nothing else was counted."""
    nothing = dict.fromkeys(("errors", "mismatches", "1xx", "2xx", "3xx", "4xx", "5xx", "non2xx"), 0)
    answered = sum(number for key, number in counts.items() if key[1:] == "xx")
    times = {"mean": 20.0, "min": 1, "max": 90, "p50": 15, "p97_5": 60, "p99": 80, "totalCount": answered}
    data = REAL | nothing | counts | {"duration": 10.0, "latency": times | (latency or {})}
    return written(folder, data)


def test_a_run_of_refusals_has_failed() -> None:
    path = FILES / "autocannon.json"
    assert value_of(path, "http", "error_rate") == 1
    assert figure_of(path, "http", "p95").value == math.inf
    assert figure_of(path, "errors", "error_rate").samples == REAL["requests"]["total"] == REAL["4xx"]


def test_figures_are_those_of_the_tool(tmp_path: Path) -> None:
    path = report(tmp_path, **{"2xx": 9_000, "3xx": 1_000})
    assert value_of(path, "http", "error_rate") == 0 and value_of(path, "http", "rate") == 1_000
    assert [value_of(path, "http", stat) for stat in ("mean", "p50", "p97.5", "p99", "max")] == [20, 15, 60, 80, 90]
    assert figure_of(path, "http", "p99").high == 81, "times are whole milliseconds"
    assert value_of(path, "http", "p98") is None or value_of(path, "http", "p98") <= 80


def test_requests_without_an_answer_and_refusals_are_failures(tmp_path: Path) -> None:
    path = report(tmp_path, **{"2xx": 80, "5xx": 10}, errors=10, timeouts=10)
    assert value_of(path, "http", "error_rate") == 0.2 and value_of(path, "http", "rate") == 8
    assert figure_of(path, "http", "p99").value == math.inf
    left_out = report(tmp_path, **{"2xx": 80, "5xx": 10}, errors=10, latency={"totalCount": 80})
    assert value_of(left_out, "http", "error_rate") == 0.2
    assert figure_of(left_out, "http", "p50").value <= 60, "--excludeErrorStats: no refusal is among the times"


def test_wrong_answers_are_failures_of_which_some_may_be_refusals(tmp_path: Path) -> None:
    assert value_of(report(tmp_path, **{"2xx": 100}, mismatches=40), "http", "error_rate") == 0.4
    both = figure_of(report(tmp_path, **{"2xx": 90, "4xx": 10}, mismatches=40), "http", "error_rate")
    assert both.low == 0.4 and both.only_known


def test_nothing_answered_has_no_latency_of_zero(tmp_path: Path) -> None:
    nothing = report(tmp_path, errors=50, latency=dict.fromkeys(("mean", "min", "max", "p50", "p99", "totalCount"), 0))
    assert figure_of(nothing, "http", "p50").value == math.inf and value_of(nothing, "http", "error_rate") == 1


@pytest.mark.parametrize("odd", [{"errors": -1}, {"2xx": 1.5}, {"latency": {"p50": "x"}}, {"latency": {"mean": -1}}])
def test_what_cannot_be_is_refused(tmp_path: Path, odd: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"result\.json"):
        read_file(written(tmp_path, REAL | odd | ({"latency": REAL["latency"] | odd.get("latency", {})})))
