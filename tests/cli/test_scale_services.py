"""Several services in one plan: shown, carried out and taken back together."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbz.config.phases import ApiServers
from dbz.errors import ExitCode
from dbz.scaling.aws import Aws
from dbz.scaling.change.applying import Manner, apply_plans
from dbz.scaling.change.live import read_live
from dbz.scaling.change.planner import Wanted, plan_tasks
from dbz.scaling.change.settle import DriftError
from dbz.scaling.change.steps import ChangePlan
from dbz.scaling.handle import ServiceHandle
from tests.cli.test_scale import Shell
from tests.cloud.clouds import KEYS, REGION, RunningCloud


def test_a_phase_brings_other_services_about_too(cloud: RunningCloud, tmp_path: Path) -> None:
    shell, worker, chat = Shell(cloud, tmp_path), cloud.new_service(1), cloud.new_service(2)
    phases = (
        f"schema: dbz.phases/1\nphases:\n"
        f"  - {{name: first, users: 5, connections: 1, requests: 1/s, services: {{{chat}: {{min: 3, max: 5}}}}}}\n"
        f"  - {{name: more, users: 9, connections: 1, requests: 1/s, api_servers: 3, services: {{{worker}: 2}}}}\n"
    )
    (tmp_path / "p.yaml").write_text(phases)
    options = ("more", "--phases", "p.yaml")

    def counts() -> list[int]:
        return [cloud.service(name)["runningCount"] for name in (shell.service, worker, chat)]

    planned = shell.scale("plan", *options, "--exit-code", "--out", "plan.json")
    assert planned.returncode == ExitCode.BROKEN and "4 steps of dbz and 0 of yours are open" in planned.stderr
    assert f"more: {worker} in cluster dbz" in planned.stdout and "3 to 5 tasks" in planned.stdout
    done = shell.scale("apply", "--plan", "plan.json", "--phases", "p.yaml", "--yes")
    assert done.returncode == ExitCode.OK and counts() == [3, 2, 3], done.stderr
    assert f"--service {worker}" in done.stdout and f"--service {chat}" in done.stdout
    assert shell.scale("plan", *options, "--exit-code").returncode == ExitCode.OK
    (tmp_path / "p.yaml").write_text(phases.replace(worker, shell.service))
    itself = shell.scale("plan", *options)
    assert itself.returncode == ExitCode.USAGE and "says its tasks as `api_servers`" in itself.stderr


def test_when_one_fails_those_before_it_are_taken_back(
    cloud: RunningCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path))
    aws = Aws(region=REGION, endpoint=cloud.url, credentials=KEYS)
    names = [cloud.new_service(1), cloud.new_service(1)]

    def plan(name: str) -> ChangePlan:
        return plan_tasks(read_live(ServiceHandle(aws, "dbz", name)), Wanted("2 tasks", ApiServers(min=2, max=2)))

    plans = [plan(name) for name in names]
    cloud.client("ecs").update_service(cluster="dbz", service=names[1], desiredCount=3)
    with pytest.raises(DriftError) as caught:
        apply_plans(aws, plans, Manner(30.0, lambda _: None))
    assert f"{names[0]}: everything is as it was before" in caught.value.hint
    assert [cloud.service(name)["desiredCount"] for name in names] == [1, 3]
