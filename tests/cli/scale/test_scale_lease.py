"""Two machines, that is, two processes with state folders of their own, want to scale one service."""

from __future__ import annotations

import json
import signal
import subprocess
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from dbz.errors import ExitCode
from tests.children.processes import eventually
from tests.cli.scale.test_scale import Shell
from tests.cloud.clouds import RunningCloud
from tests.scaling.test_lease import elsewhere

PLAN = """\
schema: dbz.phases/1
phases:
  - {name: fast, users: 9, connections: 1, requests: 1/s, api_servers: {min: 1, max: 5}}
scale_out_when_any: ["CPU > 70% for 2 seconds"]
scaling: {period: 1s, cooldown_out: 60s, bounds: {min: 1, max: 5}, lease_table: dbz-leases, lease_time: 3s}
"""
AUTO = ("auto", "--phases", "fast.yaml", "--yes", "--json")


@pytest.fixture
def here(cloud: RunningCloud, tmp_path: Path) -> Shell:
    (tmp_path / "fast.yaml").write_text(PLAN)
    return Shell(cloud, tmp_path)


@pytest.fixture
def there(here: Shell) -> Shell:
    other = copy(here)
    other.env = {**here.env, "DBZ_STATE_DIR": str(here.folder / "state-there")}
    return other


def leader(shell: Shell) -> dict[str, Any]:
    present = shell.json("status", "--phases", "fast.yaml")["present"]
    found: dict[str, Any] = next((one for one in present if one["role"] == "is followed"), {})
    return found


def first_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None and process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    found: dict[str, Any] = json.loads(line)
    return found


def test_the_second_is_refused_and_status_says_who_leads(here: Shell, there: Shell) -> None:
    with here.started(*AUTO) as process:
        first_line(process)
        refused = there.scale(*AUTO)
        assert refused.returncode == ExitCode.USAGE
        assert f"dbz scale auto (process {process.pid} on" in refused.stderr and "is there already" in refused.stderr
        assert there.scale("auto", "--phases", "fast.yaml", "--dry-run", "--once").returncode == ExitCode.OK
        assert leader(there)["lease"] == 1 and not leader(there)["gone"]
        shown = there.scale("status", "--phases", "fast.yaml").stdout
        assert f"dbz scale auto (process {process.pid} on" in shown and "lease 1, heard from" in shown
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == ExitCode.OK, errors
    assert leader(there) == {}


@pytest.mark.parametrize("machine", ["this", "another"])
def test_the_standby_takes_over_when_the_leader_is_killed(here: Shell, there: Shell, machine: str) -> None:
    here.cloud.control(demand=1.0)
    with here.started(*AUTO) as first:
        first_line(first)
        with there.started(*AUTO, "--standby") as second:
            assert second.stderr is not None and "Standing by: dbz scale auto" in second.stderr.readline()
            if machine == "another":
                elsewhere(here.cloud, f"123456789012/eu-west-1/dbz/{here.service}/FOLLOW")
            first.send_signal(signal.SIGKILL)
            first_line(second)
            assert leader(here)["lease"] == 2
            here.cloud.control(demand=1000.0)
            assert eventually(lambda: here.counts()[0] == 3)


def test_a_leader_that_was_paused_does_nothing_when_it_comes_back(here: Shell, there: Shell) -> None:
    """Both see the same load; while the first one sleeps the second one leads and scales out. Then the first wakes up
    with all it needs for a step of its own, and its cooldown has not begun."""
    here.cloud.control(demand=1.0)
    with here.started(*AUTO) as first:
        first_line(first)
        first.send_signal(signal.SIGSTOP)
        with there.started(*AUTO, "--standby") as second:
            here.cloud.control(demand=1000.0)
            assert eventually(lambda: here.counts() == (3, 3))
            first.send_signal(signal.SIGCONT)
            out, errors = first.communicate(timeout=20)
            assert first.returncode == ExitCode.UNREACHABLE, errors
            assert f"taken over by dbz scale auto (process {second.pid} on" in errors
            assert not [one for one in map(json.loads, out.splitlines()) if one["done"]]
            assert here.counts()[0] == 3
    assert here.json("history")["changes"] == []
    (step,) = there.json("history")["changes"]
    assert step["goal"] == "auto: CPU > 70% for 2 seconds"


def test_a_step_of_another_machine_counts_for_the_cooldown(here: Shell, there: Shell) -> None:
    here.cloud.control(demand=1000.0)
    with here.started(*AUTO) as first:
        assert eventually(lambda: here.counts() == (3, 3))
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=20)
    with there.started(*AUTO) as second:
        assert second.stdout is not None
        reasons = (json.loads(line)["reason"] for line in second.stdout)
        assert any("less than the cooldown ago" in reason for reason in reasons)
    assert here.counts()[0] == 3


def test_one_change_at_a_time_and_a_killed_one_is_waited_for(here: Shell, there: Shell) -> None:
    here.cloud.control(healthy=False)
    apply = ("apply", "fast", "--phases", "fast.yaml", "--yes")
    setting = ("set", "--phases", "fast.yaml", "--tasks", "3", "--yes")
    with here.started(*setting) as process:
        assert eventually(lambda: here.counts()[0] == 3)
        busy = there.scale(*apply)
        assert busy.returncode == ExitCode.USAGE, busy.stderr
        assert "dbz scale: 3 tasks (process" in busy.stderr and "is there already" in busy.stderr
        elsewhere(here.cloud, f"123456789012/eu-west-1/dbz/{here.service}/CHANGE")
        process.send_signal(signal.SIGKILL)
    here.cloud.control(healthy=True)
    after = there.scale(*apply)
    assert after.returncode == ExitCode.OK, after.stderr
    assert "Taken over from dbz scale: 3 tasks" in after.stderr


def test_a_table_that_does_not_exist(here: Shell) -> None:
    (here.folder / "fast.yaml").write_text(PLAN.replace("dbz-leases", "none"))
    for command in (AUTO, ("status", "--phases", "fast.yaml")):
        done = here.scale(*command)
        assert done.returncode == ExitCode.USAGE and "aws dynamodb create-table" in done.stderr
