"""`dbz scale auto` as a user runs it: a rehearsal in seconds on the local cloud."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.children.processes import eventually
from tests.cli.scale.test_scale import Shell
from tests.cloud.clouds import RunningCloud

PLAN = """\
schema: dbz.phases/1
phases:
  - {name: fast, users: 9, connections: 1, requests: 1/s, api_servers: {min: 2, max: 3}}
scale_out_when_any: ["CPU > 70% for 4 seconds"]
scale_in_when_all: ["CPU < 30% for 4 seconds"]
scaling: {period: 2s, cooldown_out: 60s, cooldown_in: 60s, bounds: {min: 1, max: 5}}
"""


@pytest.fixture
def shell(cloud: RunningCloud, tmp_path: Path) -> Shell:
    (tmp_path / "fast.yaml").write_text(PLAN)
    return Shell(cloud, tmp_path)


def test_a_step_over_capacity_asks_for_a_task_within_a_period_of_the_duration(shell: Shell) -> None:
    shell.cloud.control(demand=1.0)
    with shell.started("auto", "--phases", "fast.yaml", "--phase", "fast", "--yes", "--json") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert (first["schema"], first["action"]) == ("dbz.scale-decision/1", "hold")
        shell.cloud.control(demand=1000.0)
        assert eventually(lambda: shell.counts()[0] == 3)
        second = shell.scale("auto", "--phases", "fast.yaml", "--yes")
        assert second.returncode == ExitCode.USAGE and "is followed already by dbz scale auto" in second.stderr
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
    assert process.returncode == ExitCode.OK, errors
    steps = [one for one in map(json.loads, rest.splitlines()) if one["action"] == "out"]
    assert [(one["before"], one["desired"], one["reason"]) for one in steps] == [(2, 3, "CPU > 70% for 4 seconds")]
    assert "Stopped; the number of tasks stays as it is." in errors
    assert [one["goal"] for one in shell.json("history")["changes"]] == ["auto: CPU > 70% for 4 seconds"]


def test_once_explains_and_emit_makes_alarms(shell: Shell) -> None:
    once = shell.scale("auto", "--phases", "fast.yaml", "--once", "--dry-run")
    assert once.returncode == ExitCode.OK, once.stderr
    assert "CPU > 70% for 4 seconds" in once.stdout and "of 2 samples hold, 2 needed" in once.stdout
    emitted = shell.scale("auto", "--phases", "fast.yaml", "--phase", "fast", "--emit", "--yes")
    assert emitted.returncode == ExitCode.OK, emitted.stderr
    assert "out CPU > 70% for 4 seconds" in emitted.stdout and "dbz-in" in emitted.stdout
    refused = shell.scale("auto", "--phases", "fast.yaml", "--yes")
    assert refused.returncode == ExitCode.USAGE and "two autoscalers would disagree" in refused.stderr
    assert shell.scale("rollback", "--yes").returncode == ExitCode.OK


def test_it_does_nothing_by_itself_without_yes(shell: Shell) -> None:
    done = shell.scale("auto", "--phases", "fast.yaml")
    assert done.returncode == ExitCode.USAGE and "add --yes, or look first with --dry-run" in done.stderr
    done = shell.scale("auto", "--phases", "fast.yaml", "--metrics", "http://127.0.0.1:9", "--once", "--dry-run")
    assert done.returncode == ExitCode.UNREACHABLE and "/metrics cannot be read" in done.stderr
