"""`--baseline latest` and `dbz report compare` as a user calls them: what is compared, and the exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from dbz.errors import ExitCode
from tests.cli.running import dbz, small_server

SCENARIO = """
import os
from dbz.users import HttpUser, constant, task


class Reader(HttpUser):
    wait_time = constant(0.01)

    @task
    def read(self):
        self.client.get("/list")
        if not os.environ.get("WITHOUT"):
            self.client.get("/item", name="/item/{id}")
"""
LOAD = ("--users", "2", "--duration", "2s", "--warmup", "0s", "--no-live")


def load(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """`dbz load`, made again where this machine stood still, which the run says itself; then nothing is left of it."""
    for _ in range(3):
        done = dbz("load", *arguments, cwd=cwd, **env)
        newest = max((cwd / "reports").iterdir())
        stood_still = "stood still" in " ".join(json.loads((newest / "run.json").read_text())["reasons"])
        if done.returncode != ExitCode.INVALID or not stood_still:
            break
        shutil.rmtree(newest)
    return done


def test_the_newest_comparable_run_is_the_baseline_and_none_yet_is_a_note(tmp_path: Path) -> None:
    with small_server() as base:
        against = (f"{base}/", *LOAD, "--baseline", "latest", "--threshold", "900%", "--json")
        first = load(*against, cwd=tmp_path)
        assert first.returncode == ExitCode.OK, first.stderr
        assert "No earlier run in reports can be compared with this one" in first.stderr
        document = json.loads(first.stdout)
        assert document["comparison"] is None
        other = load(f"{base}/slow", *LOAD, "--users", "3", cwd=tmp_path)
        assert other.returncode == ExitCode.OK, other.stderr
        second = load(*against, cwd=tmp_path)
    assert second.returncode == ExitCode.OK, second.stdout
    assert json.loads(second.stdout)["comparison"]["base"] == [document["id"]]


def test_an_operation_that_vanished_fails_a_run_unless_that_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "reader.py").write_text(SCENARIO)
    with small_server() as base:
        whole = ("reader.py", "--target", base, *LOAD)
        assert load(*whole, cwd=tmp_path).returncode == ExitCode.OK
        without = (*whole, "--baseline", "latest", "--threshold", "900%")
        gone = load(*without, cwd=tmp_path, WITHOUT="1")
        # The run that was found worse is no baseline: it would make what it lost the rule.
        accepted = load(*without, "--allow-vanished", cwd=tmp_path, WITHOUT="1")
    said = " ".join(gone.stdout.split())
    assert gone.returncode == ExitCode.BROKEN and "1 operation of the baseline vanished" in said
    assert "GET /item/{id} was made" in said and "never in the new runs" in said
    assert accepted.returncode == ExitCode.OK and "Accepted: http GET /item/{id}" in " ".join(accepted.stdout.split())
    first, second, _ = sorted(path.name for path in (tmp_path / "reports").iterdir())
    compared = dbz("report", "compare", first, second, "--threshold", "900%", cwd=tmp_path)
    assert compared.returncode == ExitCode.BROKEN and "1 operation vanished" in compared.stdout
    compared = dbz("report", "compare", first, second, "--threshold", "900%", "--allow-vanished", cwd=tmp_path)
    assert compared.returncode == ExitCode.OK


def test_where_nothing_could_be_told_nothing_is_said_to_be_as_good(tmp_path: Path) -> None:
    with small_server() as base:
        few = (f"{base}/", "--rate", "3/s", "--users", "2", "--duration", "2s", "--warmup", "0s", "--no-live")
        for _ in range(2):
            load(*few, cwd=tmp_path)
        third = load(*few, "--baseline", "latest", cwd=tmp_path)
    first, second, *_ = sorted(path.name for path in (tmp_path / "reports").iterdir())
    compared = dbz("report", "compare", first, second, cwd=tmp_path)
    assert compared.returncode == ExitCode.INVALID and "nothing became worse" not in compared.stdout
    assert "--repeat 5" in compared.stdout
    assert third.returncode == ExitCode.INVALID and "nothing became worse" not in third.stdout
