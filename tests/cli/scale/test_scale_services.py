"""Several services in one plan: shown, carried out and taken back together."""

from __future__ import annotations

from pathlib import Path

from dbz.errors import ExitCode
from tests.cli.scale.test_scale import Shell
from tests.cloud.clouds import RunningCloud


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
    assert f"{shell.service}, {chat}, {worker} in cluster dbz" in planned.stdout and "3 to 5 tasks" in planned.stdout
    done = shell.scale("apply", "--plan", "plan.json", "--phases", "p.yaml", "--yes")
    assert done.returncode == ExitCode.OK and counts() == [3, 2, 3], done.stderr
    (change,) = shell.json("history")["changes"]
    assert set(change["services"]) == {shell.service, worker, chat} and change["outcome"] == "applied"
    assert shell.scale("plan", *options, "--exit-code").returncode == ExitCode.OK
    (tmp_path / "p.yaml").write_text(phases.replace(f"{worker}: 2", f"{worker}: 4"))
    main, shell.service = shell.service, worker
    alone = shell.json("plan", *options)
    assert (alone["service"], [one["after"] for one in alone["steps"]], alone["also"]) == (worker, [4], [])
    back = shell.scale("rollback", "--yes")
    shell.service = main
    assert back.returncode == ExitCode.OK and counts() == [2, 1, 2], "a change is taken back whole"
    (tmp_path / "p.yaml").write_text(phases.replace(worker, worker[:-1]).replace(chat, "nothing-like-it"))
    unknown = shell.scale("plan", *options)
    assert unknown.returncode == ExitCode.USAGE and f"did you mean '{worker}'?" in unknown.stderr
    assert "'nothing-like-it'" in unknown.stderr


SCALING = """\
schema: dbz.phases/1
phases:
  - name: more
    users: 9
    connections: 1
    requests: 1/s
    api_servers: {min: 2, max: 3}
    services:
      WORKER: {min: 1, max: 4}
      CHAT: {min: 1, max: 3, scale_out_when_any: ["CPU > 50% for 2 minutes"], scale_in_when_all: ["CPU < 20%"]}
scale_out_when_any: ["CPU > 70% for 5 minutes", "Active connections > 80% capacity"]
scale_in_when_all: ["CPU < 30% for 15 minutes", "Active connections < 40% capacity"]
"""


def test_aws_scales_every_service_of_a_phase_by_the_sentences_that_are_about_it(
    cloud: RunningCloud, tmp_path: Path
) -> None:
    shell, worker, chat = Shell(cloud, tmp_path), cloud.new_service(1), cloud.new_service(1)
    (tmp_path / "p.yaml").write_text(SCALING.replace("WORKER", worker).replace("CHAT", chat))
    options = ("--phases", "p.yaml", "--phase", "more")

    def alarms(service: str) -> dict[str, float]:
        found = cloud.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"dbz/dbz/{service}/")["MetricAlarms"]
        for one in found:
            asked = one.get("Dimensions") or one["Metrics"][0]["MetricStat"]["Metric"]["Dimensions"]
            assert {"Name": "ServiceName", "Value": service} in asked and service in one["AlarmActions"][0]
        return {one["AlarmName"].removeprefix(f"dbz/dbz/{service}/"): one["Threshold"] for one in found}

    emitted = shell.scale("auto", *options, "--emit", "--yes")
    assert emitted.returncode == ExitCode.OK, emitted.stderr
    said = " ".join(emitted.stdout.split())
    assert "no alarm for 'Active connections > 80% capacity', 'Active connections < 40% capacity'" in said
    assert f"nothing scales {worker} in" in said and f"nothing scales {chat}" not in said
    assert len(alarms(shell.service)) == 3 and alarms(worker) == {"out CPU > 70% for 5 minutes": 70.0}
    assert alarms(chat) == {"out CPU > 50% for 2 minutes": 50.0, "in": 1.0}
    again = shell.scale("plan", "more", "--phases", "p.yaml", "--exit-code")
    assert again.returncode == ExitCode.OK, again.stdout
    assert shell.scale("rollback", "--yes").returncode == ExitCode.OK
    assert [alarms(name) for name in (shell.service, chat, worker)] == [{}, {}, {}]
    shell.service = worker
    alone = shell.scale("auto", *options, "--once", "--dry-run")
    assert alone.returncode == ExitCode.OK, alone.stderr
    assert "Scaling between 1 and 4 tasks" in alone.stderr and "no alarm for 'Active" in alone.stderr
