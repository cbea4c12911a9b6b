"""`dbz report`: show, html and list, by any name of a run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dbz.cli.report.group import app
from dbz.errors import UsageError
from dbz.runs.storage.folder import RunFolder, list_runs
from tests.runs.builder import Scene, build_run


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def reports(copies: RunFolder) -> Path:
    """A reports folder that holds one run."""
    return copies.path.parent


def test_show_prints_the_newest_run_by_default(reports: Path) -> None:
    result = invoke("show", "--reports", reports)
    assert result.exit_code == 0
    assert "FAIL" in result.stdout and "chat_message_latency" in result.stdout


def test_show_takes_a_prefix_or_a_path_and_prints_json(reports: Path, copies: RunFolder) -> None:
    for name in (copies.id[:10], copies.path):
        shown = json.loads(invoke("show", name, "--reports", reports, "--json").stdout)
        assert (shown["schema"], shown["id"], shown["verdict"]) == ("dbz.run/1", copies.id, "fail")


def test_html_makes_all_files_again_and_prints_the_page(reports: Path, copies: RunFolder) -> None:
    result = invoke("html", "--reports", reports)
    assert result.stdout == f"{copies.path / 'report.html'}\n"
    assert {"report.html", "junit.xml", "summary.md", "operations.csv"} <= {path.name for path in copies.path.iterdir()}


def test_list_prints_every_run(reports: Path, copies: RunFolder) -> None:
    assert copies.id in invoke("list", "--reports", reports).stdout
    listed = json.loads(invoke("list", "--reports", reports, "--json").stdout)
    assert listed["schema"] == "dbz.runs/1"
    assert [(run["id"], run["verdict"], run["profile"]) for run in listed["runs"]] == [(copies.id, "fail", "mixed")]


def test_list_skips_a_damaged_run_and_says_so(reports: Path) -> None:
    damaged = reports / "damaged"
    damaged.mkdir()
    (damaged / "run.json").write_text("{")
    result = invoke("list", "--reports", reports)
    assert "skipped: " in result.stderr and "damaged" in result.stderr
    assert len(list_runs(reports)) == 2 and "fail" in result.stdout


def test_list_of_nothing_says_how_to_make_a_run(tmp_path: Path) -> None:
    result = invoke("list", "--reports", tmp_path / "none")
    assert result.exit_code == 0 and "dbz load makes one" in result.stderr


def test_an_unknown_run_is_an_error_with_what_to_do(reports: Path) -> None:
    with pytest.raises(UsageError, match="no run 'nope'"):
        invoke("show", "nope", "--reports", reports)


def test_the_command_imports_nothing_heavy_until_it_is_used() -> None:
    heavy = "('rich', 'pydantic', 'dbz.report')"
    code = f"import sys, dbz.cli.report.group; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_compare_prints_what_became_worse_and_exits_1(reports: Path, tmp_path: Path) -> None:
    quick = Scene(seconds=8, warmup_s=2, seed=1)
    build_run(tmp_path, quick, run_id="base")
    build_run(tmp_path, Scene(seconds=8, warmup_s=2, seed=2, slow={"GET /api/games": 3}), run_id="slow")
    result = invoke("compare", "base", "slow", "--reports", tmp_path)
    assert result.exit_code == 1
    assert "1 operation became worse (1 run against 1)" in result.stdout
    assert re.search(r"http GET /api/games is \d+ % slower: p\d+ [\d.]+ ms, before [\d.]+ ms", result.stdout)
    assert "Five runs a side measure it (--repeat 5)" in " ".join(result.stdout.split())
    same = invoke("compare", "base", "base", "--reports", tmp_path, "--json")
    assert same.exit_code == 0 and json.loads(same.stdout)["schema"] == "dbz.comparison/1"


def test_compare_refuses_what_is_not_comparable_and_can_be_forced(tmp_path: Path) -> None:
    build_run(tmp_path, Scene(seconds=6, warmup_s=2), run_id="base")
    build_run(tmp_path, Scene(seconds=6, warmup_s=2, users=40), run_id="small")
    with pytest.raises(UsageError, match="users differs: 500 in base, 40 in small"):
        invoke("compare", "base", "small", "--reports", tmp_path)
    forced = invoke("compare", "base", "small", "--reports", tmp_path, "--force")
    assert "Forced although users differs" in forced.stdout


def test_trend_prints_the_history_of_the_newest_load(tmp_path: Path) -> None:
    for number in range(6):
        scene = Scene(seconds=4, warmup_s=1, seed=number, slow={"chat": 3 if number > 2 else 1}, server=False)
        build_run(tmp_path, scene, run_id=f"run-{number}", budgets=[])
    result = invoke("trend", "--reports", tmp_path)
    assert result.exit_code == 0
    row = next(line for line in result.stdout.splitlines() if "delivery chat" in line)
    assert "run-3" in row
    assert json.loads(invoke("trend", "--reports", tmp_path, "--json").stdout)["schema"] == "dbz.trend/1"
