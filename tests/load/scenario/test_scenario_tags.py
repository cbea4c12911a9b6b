"""Tags: the tasks that `--tags` and `--exclude-tags` leave are those that Locust leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz
from tests.load.locust_agreement import counting_server

SCENARIO = """\
import json, os
from pathlib import Path
from locust import HttpUser, TaskSet, constant, events, tag, task

def names(holder):
    for one in holder.tasks:
        yield one.__name__
        yield from names(one) if hasattr(one, "tasks") else ()

@events.test_start.add_listener
def tell(environment, **_):
    told = {one.__name__: sorted(set(names(one))) for one in environment.user_classes if one.tasks}
    Path(os.environ["TOLD"]).write_text(json.dumps(told))

class Both(HttpUser):
    wait_time = constant(0.01)

    @tag("slow", "report")
    @task
    def report(self):
        self.client.get("/report")

    @tag("fast")
    @task
    def list(self):
        self.client.get("/list")

    @task
    def plain(self):
        self.client.get("/plain")

    @task
    class Inner(TaskSet):
        @tag("fast", "report")
        @task
        def inner_fast(self):
            self.client.get("/inner-fast")
            self.interrupt()

        @tag("slow")
        @task(3)
        def inner_slow(self):
            self.client.get("/inner-slow")
            self.interrupt()

        @tag("odd")
        @task
        class Innermost(TaskSet):
            @task
            def innermost(self):
                self.client.get("/innermost")
                self.interrupt()


class Other(HttpUser):
    wait_time = constant(0.01)

    @tag("fast", "odd")
    @task
    def other(self):
        self.client.get("/other")
"""


@pytest.mark.parametrize(
    ("tags", "excluded", "paths"),
    [
        (["fast", "report"], [], {"/report", "/list", "/inner-fast", "/other"}),
        (["fast"], ["report", "nobody"], {"/list", "/other"}),
        ([], ["slow"], {"/list", "/plain", "/inner-fast", "/innermost", "/other"}),
    ],
)
def test_what_is_left_is_what_locust_leaves(
    tmp_path: Path, tags: list[str], excluded: list[str], paths: set[str]
) -> None:
    (tmp_path / "tagged.py").write_text(SCENARIO)
    theirs, ours = tmp_path / "theirs.json", tmp_path / "ours.json"
    with counting_server() as server:
        url = f"http://127.0.0.1:{server.server_port}"
        chosen = [*(["--tags", *tags] if tags else []), *(["--exclude-tags", *excluded] if excluded else [])]
        locust = [sys.executable, "-m", "locust", "-f", "tagged.py", "--host", url, "--headless", "-t", "1s", *chosen]
        environment = {**os.environ, "TOLD": str(theirs)}
        subprocess.run(locust, cwd=tmp_path, capture_output=True, timeout=90, check=True, env=environment)
        server.hits.clear()  # type: ignore[attr-defined]
        chosen = [*(["-T", ",".join(tags)] if tags else []), *(part for one in excluded for part in ("-E", one))]
        done = dbz("try", "tagged.py", "--target", url, *chosen, cwd=tmp_path, TOLD=str(ours))
        assert done.returncode == ExitCode.OK, done.stdout + done.stderr
        assert set(server.hits) == paths  # type: ignore[attr-defined]
    assert json.loads(ours.read_text()) == json.loads(theirs.read_text())


def test_a_class_without_tasks_has_no_users_and_nothing_left_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tagged.py").write_text(SCENARIO)
    options = ["--users", "2", "--duration", "1s", "--warmup", "0s", "--no-live", "--workers", "1", "--budgets", "none"]
    with counting_server() as server:
        url, told = f"http://127.0.0.1:{server.server_port}", str(tmp_path / "told.json")
        done = dbz("load", "tagged.py", "--target", url, "--tags", "report", *options, cwd=tmp_path, TOLD=told)
        assert done.returncode == ExitCode.OK, done.stdout + done.stderr  # nobody of Other, who would fail in Locust
        assert set(server.hits) <= {"/report", "/inner-fast"}  # type: ignore[attr-defined]
        none = dbz("try", "tagged.py", "--target", url, "--tags", "fest", cwd=tmp_path, TOLD=told)
    assert none.returncode == ExitCode.USAGE
    assert "no task of the scenario is left with tags fest (it has: fast, odd, report, slow)" in none.stderr
