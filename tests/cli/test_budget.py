"""`dbz budget` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

from dbz.errors import ExitCode
from tests.cli.running import dbz

FILES = Path(__file__).parent.parent / "runs" / "imports" / "files"


def test_check_exits_by_the_verdict_and_writes_what_ci_reads(tmp_path: Path) -> None:
    done = dbz("budget", "check", str(FILES / "oha.json"), "--out", "verdicts", cwd=tmp_path)
    assert done.returncode == ExitCode.BROKEN
    assert "1 of 3 measured budgets is broken" in done.stdout and "error_rate" in done.stdout
    assert {path.name for path in (tmp_path / "verdicts").iterdir()} == {
        "verdict.json",
        "junit.xml",
        "summary.md",
        "bencher.json",
    }
    assert json.loads((tmp_path / "verdicts" / "verdict.json").read_text())["verdict"] == "fail"


def test_check_passes_what_holds_and_says_what_it_is_not_sure_of(tmp_path: Path) -> None:
    done = dbz("budget", "check", str(FILES / "k6_new_summary.json"), "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (ExitCode.OK, "pass")


def test_check_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    for name, says in (("other.json", "known: k6"), ("nowhere.json", "cannot read nowhere.json")):
        done = dbz("budget", "check", name, cwd=tmp_path)
        assert done.returncode == ExitCode.USAGE and says in done.stderr and "Traceback" not in done.stderr


def test_metrics_lists_the_catalogue(tmp_path: Path) -> None:
    listed = json.loads(dbz("budget", "metrics", "--json", cwd=tmp_path).stdout)
    assert listed["schema"] == "dbz.metrics/1"
    assert {"http", "delivery.lost", "import.page_load"} <= {one["name"] for one in listed["metrics"]}
