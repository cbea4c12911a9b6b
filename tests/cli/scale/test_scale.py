"""`dbz scale` as a user runs it, against the local cloud, and killed at the worst moments."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from dbz.cli.main import run
from dbz.errors import ExitCode
from tests.children.processes import ended, eventually
from tests.cli.commands import unknown_steps
from tests.cli.running import dbz, small_server, start_dbz
from tests.cloud.clouds import RunningCloud
from tests.runs.capacities import searched

PASSING = """\
schema: dbz.budgets/1
budgets:
  - {name: any, of: http, stat: p50, limit: "< 60s"}
"""


class Shell:
    """A user's shell: the environment, and a service of their own."""

    def __init__(self, cloud: RunningCloud, folder: Path) -> None:
        self.cloud, self.folder = cloud, folder
        self.service = cloud.new_service(2)
        self.env = {**cloud.env, "DBZ_STATE_DIR": str(folder / "state")}

    def scale(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A command to its end, in this process: so many new ones would take a minute more."""
        before, out, errors = dict(os.environ), io.StringIO(), io.StringIO()
        command = ["scale", *self._with_service(arguments)]
        os.environ.update({**self.env, **env})
        try:
            with chdir(self.folder), redirect_stdout(out), redirect_stderr(errors):
                code = run(command)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return subprocess.CompletedProcess(command, code or 0, out.getvalue(), errors.getvalue())

    def program(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same as a process of its own."""
        return dbz("scale", *self._with_service(arguments), cwd=self.folder, **self.env)

    def _with_service(self, arguments: tuple[str, ...]) -> list[str]:
        return [*arguments, "--service", self.service]

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that is still running."""
        command = ["scale", *self._with_service(arguments)]
        pipe = subprocess.PIPE
        with ended(
            start_dbz(command, cwd=self.folder, env={**os.environ, **self.env}, stdout=pipe, stderr=pipe, text=True)
        ) as process:
            yield process
            process.kill()

    def json(self, *arguments: str) -> dict[str, Any]:
        done = self.scale(*arguments, "--json")
        assert done.returncode == ExitCode.OK, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def counts(self) -> tuple[int, int]:
        found = self.cloud.service(self.service)
        return found["desiredCount"], found["runningCount"]

    def journal(self) -> str:
        return "".join(path.read_text() for path in (self.folder / "state" / "scale").glob("*.jsonl"))


@pytest.fixture
def shell(cloud: RunningCloud, tmp_path: Path) -> Shell:
    return Shell(cloud, tmp_path)


def test_status_plan_apply_history_and_rollback(shell: Shell) -> None:
    shown = shell.scale("status").stdout
    assert "2 desired, 2 running, 0 starting: steady" in shown and "phase_1 (2 tasks planned, 2 desired)" in shown
    assert "has reached a steady state" in shown and "not known: dbz capacity measures" in shown
    plan = shell.scale("plan", "phase_2")
    assert plan.returncode == ExitCode.OK
    assert f"phase_2: {shell.service} in cluster dbz, eu-west-1 at http://127.0.0.1" in plan.stdout
    assert "atlas clusters update CLUSTER --tier M30" in plan.stdout
    assert "HOST: aws elbv2" in " ".join(plan.stdout.split())
    assert "ALB: aws elbv2 create-load-balancer" in plan.stdout and "no key of Atlas" in " ".join(plan.stdout.split())
    refused = shell.scale("apply", "phase_2")
    assert (refused.returncode, shell.counts()) == (ExitCode.USAGE, (2, 2))
    assert "nothing was changed" in refused.stderr and "add --yes" in refused.stderr
    applied = shell.scale("apply", "phase_2", "--yes")
    assert (applied.returncode, shell.counts()) == (ExitCode.OK, (4, 4)), applied.stderr
    assert "Done and steady. 4 of its steps are yours, see above. The way back: dbz scale rollback 2" in applied.stdout
    still_open = shell.scale("plan", "phase_2", "--exit-code")
    assert still_open.returncode == ExitCode.BROKEN and "0 steps of dbz and 4 of yours are open" in still_open.stderr
    assert "dbz has nothing to do; 4 steps below are yours." in still_open.stdout
    assert "has started 2 tasks" in applied.stderr
    assert shell.scale("apply", "phase_2", "--yes").stdout.count("dbz has nothing to do") == 1
    (change,) = shell.json("history")["changes"]
    assert (change["goal"], change["outcome"], change["service"]) == ("phase_2", "applied", shell.service)
    again = shell.json("apply", "phase_2", "--yes")
    assert (again["outcome"], unknown_steps(again)) == ("nothing to do", [])
    back = shell.json("rollback", "--yes")
    assert (back["id"], back["outcome"], unknown_steps(back)) == (change["id"], "rolled back", [])
    assert shell.counts() == (2, 2)
    assert "rolled back" in shell.scale("history").stdout


def test_headroom_is_not_known_where_the_capacity_measured_none_of_it(shell: Shell) -> None:
    """And a plan says so too. Too few tasks for what was measured are too few all the same."""
    capacity = searched(threshold=1000)
    assert capacity.capacity is not None
    figures = capacity.capacity.model_copy(update={"connections": 0.0})
    blind = capacity.model_copy(update={"capacity": figures})
    (shell.folder / "reports" / blind.id).mkdir(parents=True)
    blind.save(shell.folder / "reports" / blind.id)
    found, said = shell.json("status"), shell.scale("status").stdout
    unknown = found["headroom_unknown"]
    assert unknown and all(names == ["connections"] for names in unknown.values())
    assert not unknown.keys() & found["headroom"].keys() and all(one < 1 for one in found["headroom"].values())
    assert all(f"{phase}: not known, its connections were not measured" in said for phase in unknown)
    assert "carry the connections of phase_1 is not known" in " ".join(shell.scale("plan", "phase_1").stdout.split())


def test_status_as_json_has_everything(shell: Shell) -> None:
    capacity = searched(threshold=1000)
    (shell.folder / "reports" / capacity.id).mkdir(parents=True)
    capacity.save(shell.folder / "reports" / capacity.id)
    found = shell.json("status")
    assert capacity.capacity is not None
    assert found["headroom"]["phase_1"] == pytest.approx(2 * capacity.capacity.users / 500, rel=0.01)
    assert "tasks carry" in shell.scale("status").stdout
    assert found["schema"] == "dbz.scale-status/1"
    assert found["service"]["deployments"][0]["rollout"] == "COMPLETED"
    assert shell.service in [one["name"] for one in found["services"]]


def test_a_saved_plan_is_applied_as_long_as_it_is_true(shell: Shell) -> None:
    assert shell.json("plan", "phase_2", "--out", "p.json")["schema"] == "dbz.scale-plan/1"
    shell.cloud.client("ecs").update_service(cluster="dbz", service=shell.service, desiredCount=3)
    drifted = shell.scale("apply", "--plan", "p.json", "--yes")
    assert drifted.returncode == ExitCode.BROKEN and "planned from 2, now 3" in drifted.stderr
    assert shell.counts()[0] == 3
    shell.cloud.client("ecs").update_service(cluster="dbz", service=shell.service, desiredCount=2)
    assert shell.scale("apply", "--plan", "p.json", "--yes").returncode == ExitCode.OK
    assert shell.counts() == (4, 4)


def test_a_saved_plan_whose_end_has_passed_is_refused_before_anything_is_changed(shell: Shell) -> None:
    saved = shell.scale("plan", "phase_2", "--expires", "1s", "--out", "p.json")
    assert "AWS puts the range back by itself." in saved.stdout
    time.sleep(1.1)
    late = shell.scale("apply", "--plan", "p.json", "--yes")
    assert "which has passed: nothing was changed" in late.stderr and shell.counts() == (2, 2)
    assert shell.json("history")["changes"] == []


def test_set_a_count_and_a_range_that_expires(shell: Shell) -> None:
    assert shell.scale("set", "--tasks", "3", "--yes").returncode == ExitCode.OK
    refused = shell.scale("set", "--tasks", "1", "--yes")
    assert refused.returncode == ExitCode.USAGE and "--allow-scale-in" in refused.stderr
    done = shell.scale("set", "--min", "4", "--max", "6", "--expires", "3s", "--yes")
    assert done.returncode == ExitCode.OK and shell.counts() == (4, 4), done.stderr
    assert eventually(lambda: shell.counts() == (3, 3)), "the range expired"
    assert "range" in shell.scale("status").stdout
    moved = shell.scale("set", "--tasks", "5", "--yes")
    assert moved.returncode == ExitCode.OK and shell.counts() == (5, 5), "a range of one number moves along"
    assert shell.scale("set", "--min", "5", "--max", "6", "--yes").returncode == ExitCode.OK
    outside = shell.scale("set", "--tasks", "7", "--yes")
    assert outside.returncode == ExitCode.USAGE and "outside the autoscaler's range of 5 to 6" in outside.stderr


def test_a_verifying_run_that_passes_and_one_that_breaks_a_budget(shell: Shell) -> None:
    profile = shell.folder / "p.yaml"
    (shell.folder / "passing.yaml").write_text(PASSING)
    (shell.folder / "failing.yaml").write_text(PASSING.replace("60s", "1us"))
    (shell.folder / "s.py").write_text(
        "from dbz.users import HttpUser, task\n\nclass Visitor(HttpUser):\n    @task\n    def visit(self):\n"
        '        self.client.get("/slow")\n'
    )
    with small_server() as url:
        for budgets, code, counts in (("passing", ExitCode.OK, (3, 3)), ("failing", ExitCode.BROKEN, (3, 3))):
            profile.write_text(
                f"schema: dbz.profile/1\nname: p\nscenario: ./s.py\nusers: 2\nduration: 1s\nwarmup: 0s\n"
                f"budgets: {shell.folder / budgets}.yaml\n"
            )
            count = "3" if budgets == "passing" else "4"
            phases = (
                "schema: dbz.phases/1\nphases:\n  - {name: next, users: 9, connections: 0, requests: 20/s, "
                f"api_servers: {count}}}\n"
            )
            (shell.folder / "phases.yaml").write_text(phases)
            load = "p.yaml" if budgets == "passing" else "phase:p.yaml"
            options = ("--phases", "phases.yaml", "--yes", "--verify", load, "--verify-for", "2s", "--target", url)
            for _ in range(3):  # on a machine that is busy with other tests a run may not be valid, and all is undone
                done = shell.program("apply", "next", *options)
                assert shell.counts() == counts, done.stderr
                if done.returncode != ExitCode.INVALID:
                    break
            assert done.returncode == code, done.stderr
    assert "9 users, 2 s judged" in done.stderr and "20 requests/s asked for" in done.stderr
    assert "'p.yaml with the load of next' broke a budget" in done.stderr
    assert "everything is as it was before" in done.stderr


@pytest.mark.parametrize(("kind", "reached"), [("hang", 2), ("hang-after", 4)])
def test_killed_between_the_journal_and_the_answer(shell: Shell, kind: str, reached: int) -> None:
    """kill -9 with the call begun: before it took effect, and after it. The way back is the same."""
    shell.cloud.fault("UpdateService", kind)
    with shell.started("apply", "phase_2", "--yes") as process:
        assert eventually(lambda: '"event": "begin"' in shell.journal())
        assert eventually(lambda: shell.counts()[0] == reached)
        process.send_signal(signal.SIGKILL)
    assert '"event": "done"' not in shell.journal()
    (change,) = shell.json("history")["changes"]
    assert (change["outcome"], change["not_taken_back"]) == ("not finished", 1)
    assert shell.json("status")["unfinished"] == [change["id"]]
    refused = shell.scale("apply", "phase_2", "--yes")
    assert refused.returncode == ExitCode.USAGE and f"dbz scale rollback {change['id']}" in refused.stderr
    assert shell.scale("rollback", "--yes").returncode == ExitCode.OK
    assert shell.counts() == (2, 2)


def test_killed_while_waiting_and_resumed(shell: Shell) -> None:
    shell.cloud.control(healthy=False)
    with shell.started("apply", "phase_2", "--yes") as process:
        assert eventually(lambda: '"event": "done"' in shell.journal())
        process.send_signal(signal.SIGKILL)
    shell.cloud.control(healthy=True)
    (change,) = shell.json("history")["changes"]
    resumed = shell.scale("apply", "--resume", change["id"], "--yes")
    assert (resumed.returncode, shell.counts()) == (ExitCode.OK, (4, 4)), resumed.stderr
    assert "already so" in resumed.stderr
    assert shell.json("history")["changes"][0]["outcome"] == "applied"


def test_ctrl_c_keeps_what_was_done_and_says_how_to_go_on(shell: Shell) -> None:
    shell.cloud.control(healthy=False)
    with shell.started("apply", "phase_2", "--yes") as process:
        assert eventually(lambda: '"event": "done"' in shell.journal())
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "interrupted; what was done stays" in errors and "--resume" in errors


def test_two_applies_at_once(shell: Shell) -> None:
    shell.cloud.control(healthy=False)
    with shell.started("apply", "phase_2", "--yes"):
        assert eventually(lambda: '"event": "done"' in shell.journal())
        second = shell.scale("set", "--tasks", "5", "--yes")
    assert second.returncode == ExitCode.USAGE and "is being changed already by dbz scale: phase_2" in second.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["plan", "phase_9"], 2, "unknown phase 'phase_9'"),
        (["plan", "current"], 2, "current plans no API servers"),
        (["plan", "phase_2", "--cluster", "shop"], 2, "cluster 'shop' does not exist in eu-west-1 at http://127.0.0.1"),
        (["plan", "phase_2", "--expires", "4"], 2, "--expires: '4' is not a duration"),
        (["plan", "phase_2", "--out", "/nowhere/p.json"], 2, "cannot write the plan to /nowhere/p.json"),
        (["plan", "phase_2", "--aws-profile", "none"], 2, "profile (none) could not be found"),
        (["apply"], 2, "name one of: a PHASE, --plan FILE, --resume ID"),
        (["apply", "phase_2", "--timeout", "15"], 2, "--timeout: '15' is not a duration"),
        (["apply", "phase_2", "--verify", "smok"], 2, "unknown profile 'smok'; did you mean 'smoke'?"),
        (["apply", "phase_2", "--verify", "smoke"], 2, "--verify needs --target URL"),
        (["apply", "phase_2", "--verify-for", "9s"], 2, "--verify-for needs --verify"),
        (["apply", "phase_2", "--verify", "phase:smok"], 2, "unknown profile 'smok'; did you mean 'smoke'?"),
        (["apply", "phase_2", "--verify", "phase", "--verify-for", "9", "--target", "http://127.0.0.1:9"], 2, "'9' is"),
        (["apply", "phase_2", "--warm"], 2, "--warm: the phase does not say so"),
        (["apply", "--plan", "none.json"], 2, "cannot read the plan none.json"),
        (["apply", "--resume", "none"], 2, "'none' is no change of"),
        (["set"], 2, "name either --tasks N, or --min N and --max N"),
        (["set", "--tasks", "3", "--min", "1"], 2, "name either --tasks N"),
        (["set", "--min", "5", "--max", "2"], 2, "--min 5 is more than --max 2"),
        (["set", "--min", "5"], 2, "the service has no range yet"),
        (["set", "--tasks", "100"], 2, "100 is outside the plan's scaling.bounds of 1 to 20"),
        (["rollback"], 2, "there is nothing to roll back"),
        (["status", "--local"], 3, "no local cloud is running"),
    ],
)
def test_bad_input_is_one_message(shell_once: Shell, arguments: list[str], code: int, message: str) -> None:
    done = shell_once.scale(*arguments)
    assert done.returncode == code
    assert message in done.stderr


@pytest.fixture(scope="module")
def shell_once(module_cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(module_cloud, tmp_path_factory.mktemp("shell"))


def test_no_credentials_exit_3_and_say_what_to_do(shell_once: Shell) -> None:
    gone = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    done = shell_once.scale("status", **gone)
    assert done.returncode == ExitCode.UNREACHABLE
    assert "no AWS credentials were found" in done.stderr and "dbz serve --cloud" in done.stderr


def test_refused_credentials_exit_3_and_name_the_permission(shell: Shell) -> None:
    shell.cloud.fault("DescribeScalableTargets", "refuse")
    done = shell.scale("status")
    assert done.returncode == ExitCode.UNREACHABLE
    assert "AWS refused application-autoscaling:DescribeScalableTargets" in done.stderr
    assert "docs/scale.md" in done.stderr


def test_an_endpoint_that_does_not_answer(shell_once: Shell) -> None:
    done = shell_once.scale("status", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert done.returncode == ExitCode.UNREACHABLE and "DescribeServices failed: Could not connect" in done.stderr
