"""`dbz scale simulate` and `dbz scale size` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbz.errors import ExitCode
from dbz.runs.capacity import Capacity
from dbz.runs.schema import RunVerdict
from dbz.runs.storage.folder import RunFolder
from tests.cli.running import dbz
from tests.runs.capacities import budget, made_run, searched


def document(*arguments: str, cwd: Path) -> dict[str, Any]:
    done = dbz("scale", *arguments, "--json", cwd=cwd)
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def measured(tmp_path: Path) -> Capacity:
    found = searched(threshold=1000)
    folder = tmp_path / "reports" / found.id
    folder.mkdir(parents=True)
    found.save(folder)
    return found


def test_the_plans_own_trace_is_charted_with_its_steps(tmp_path: Path) -> None:
    done = dbz("scale", "simulate", cwd=tmp_path)
    assert done.returncode == ExitCode.OK
    assert "phases: 4h40m of load; one task carries 47.6 requests/s (assumed: the 10 tasks of phase_3" in done.stdout
    assert "█ load in tasks  ─ running" in done.stdout
    assert "CPU > 70% for 5 minutes" in done.stdout and "1 → 2" in done.stdout


def test_several_policies_side_by_side(tmp_path: Path) -> None:
    options = ("--shape", "spike", "--policy", "rules", "--policy", "target:60%", "--policy", "fixed:10")
    found = document("simulate", *options, cwd=tmp_path)
    assert found["schema"] == "dbz.simulation/1"
    rules, target, fixed = found["policies"]
    assert rules["under_capacity_s"] > target["under_capacity_s"] > fixed["under_capacity_s"] == 0
    assert fixed["task_hours"] > rules["task_hours"] and fixed["steps"] == []
    table = dbz("scale", "simulate", *options, cwd=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in table[-3:]] == ["rules", "target:60%", "fixed:10"]


def test_a_recorded_day_with_given_capacity(tmp_path: Path) -> None:
    rows = [f"{minute * 60},{90 if 60 <= minute < 120 else 10}" for minute in range(180)]
    (tmp_path / "t.csv").write_text("time,requests\n" + "\n".join(rows) + "\n")
    found = document("simulate", "--trace", "t.csv", "--per-task", "50/s", "--phase", "phase_3", cwd=tmp_path)
    (rules,) = found["policies"]
    assert (found["trace"], found["seconds"], found["requests_per_s_per_task"]) == ("t", 10800, 50.0)
    assert rules["steps"][0] == {
        "at_s": 3900, "before": 2, "after": 3, "reason": "CPU > 70% for 5 minutes", "flap": False,
    }  # fmt: skip


def test_each_policy_has_its_cost_in_json_where_the_plan_has_a_price(tmp_path: Path) -> None:
    phase = "{name: a, users: 9, connections: 5, requests: 9/s, api_servers: 2}"
    text = f"schema: dbz.phases/1\nphases: [{phase}]\nprices: {{currency: EUR, api_server: 73}}\n"
    (tmp_path / "p.yaml").write_text(text)
    options = ("--phases", "p.yaml", "--shape", "spike", "--policy", "fixed:2", "--policy", "fixed:4")
    found = document("simulate", *options, cwd=tmp_path)
    assert found["currency"] == "EUR"
    assert [one["cost"] for one in found["policies"]] == [
        pytest.approx(one["task_hours"] / 10) for one in found["policies"]
    ]
    free = document("simulate", "--shape", "spike", cwd=tmp_path)
    assert free["policies"][0]["cost"] is None


def test_the_newest_capacity_says_what_a_task_carries(tmp_path: Path, measured: Capacity) -> None:
    assert measured.capacity is not None
    found = document("simulate", cwd=tmp_path)
    assert found["requests_per_s_per_task"] == pytest.approx(measured.capacity.requests_per_s)


def test_size_by_the_newest_capacity(tmp_path: Path, measured: Capacity) -> None:
    assert measured.capacity is not None and measured.limit is not None
    found = document("size", "--headroom", "0%", cwd=tmp_path)
    rows = {row["phase"]: row for row in found["phases"]}
    assert (found["schema"], found["from"], found["measured_tasks"]) == ("dbz.size/1", measured.id, 1)
    assert rows["phase_3"]["tasks"] == -(-5000 // measured.capacity.load)
    assert rows["phase_3"]["tasks_at_best"] == -(-5000 // measured.limit)
    assert rows["phase_2"]["verdict"] == "enough" and rows["phase_2"]["planned"] == {"min": 4, "max": 4}
    shown = dbz("scale", "size", cwd=tmp_path).stdout
    assert f"One task carries {measured.capacity.load:,} users" in shown and "Needed with 30 % headroom" in shown


def test_size_by_a_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "reports" / "run-600")
    folder.path.mkdir(parents=True)
    folder.save(made_run(600, budget(10), verdict=RunVerdict.PASS).model_copy(update={"users_held": 600}))
    found = document("size", "--from", "latest", cwd=tmp_path)
    assert found["per_task"]["users"] == 600 and found["phases"][0]["tasks_at_best"] is None
    folder.save(made_run(600, budget(900)))
    done = dbz("scale", "size", "--from", "run-600", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE and "did not hold its budgets" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["size"], "there is no capacity in reports"),
        (["size", "--from", "none"], "no run 'none' in reports"),
        (["size", "--headroom", "30"], "--headroom: '30' is not a percentage"),
        (["simulate", "--phase", "phase_9"], "unknown phase 'phase_9'; did you mean 'phase_"),
        (["simulate", "--phases", "none.yaml"], "phases file 'none.yaml' does not exist"),
        (["simulate", "--per-task", "50"], "--per-task: '50' is not a rate"),
        (["simulate", "--per-task", "0/s"], "--per-task: must be more than 0"),
        (["simulate", "--start-delay", "60"], "--start-delay: '60' is not a duration"),
        (["simulate", "--policy", "fixed:0"], "--policy 'fixed:0' is not known; write rules"),
        (["simulate", "--policy", "target:60"], "--policy target:60: '60' is not a percentage"),
        (["simulate", "--trace", "none.csv"], "none.csv: cannot be read: No such file"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = dbz("scale", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert message in done.stderr


def test_a_sentence_that_does_not_parse_is_marked(tmp_path: Path) -> None:
    phases = "schema: dbz.phases/1\nphases:\n  - {name: a, users: 9, connections: 5, requests: 60/min}\n"
    (tmp_path / "p.yaml").write_text(phases + 'scale_out_when_any:\n  - "CPU > 70% fro 5 minutes"\n')
    done = dbz("scale", "simulate", "--phases", "p.yaml", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "p.yaml:5: scale_out_when_any.0: expected 'for' and a duration, or nothing more, not 'fro'" in done.stderr
    assert "    CPU > 70% fro 5 minutes\n              ^^^\n" in done.stderr
