"""The club app on phones, against the server that it is made for, and what a load may leave out of its care."""

from __future__ import annotations

import json

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz, small_server

BUDGETS = """\
schema: dbz.budgets/1
budgets:
  - {name: errors, of: errors, stat: error_rate, limit: '<= 0%'}
  - {name: screens, of: 'composite{name=page_load*, network=lte}', stat: count, limit: '> 1'}
"""


def test_phones_browse_chat_and_wait_for_their_networks_without_an_error(tmp_path):
    (tmp_path / "b.yaml").write_text(BUDGETS)
    options = ["--users", "12", "--duration", "5s", "--warmup", "3s", "--budgets", "b.yaml", "--network", "lte"]
    done = dbz("load", "phone", *options, "--without", "debounce,etag", "--json", cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    run = json.loads(done.stdout)
    assert run["errors"] == []
    assert run["profile"]["without"] == ["debounce", "etag"]
    screens = {one["name"]: one for one in run["operations"] if one["kind"] == "composite"}
    assert screens["page_load{screen=posts}"]["latency_ms"]["p50"] >= 69, "the network's round trip"
    budgets = {one["name"]: one for one in run["budgets"]}
    assert budgets["screens"]["samples"] == sum(
        one["count"] for name, one in screens.items() if name.startswith("page_load")
    )
    assert {one["name"] for one in run["networks"]} == {"lte"}


CAREFUL = """\
from dbz.users import HttpUser, constant_pacing, task

class Mine(HttpUser):
    wait_time = constant_pacing(0.5)
    care = ("retries", "cache")

    @task
    def ask(self):
        for _ in range(1 if self.takes_care("cache") else 4):
            self.client.get("/hello")
"""


def test_what_the_care_of_an_app_saves_is_a_table_of_its_last_report(tmp_path):
    (tmp_path / "mine.py").write_text(CAREFUL)
    with small_server() as url:
        options = ["--users", "2", "--duration", "2s", "--warmup", "0s", "--without", "cache", "--each"]
        done = dbz("load", "mine.py", "--target", url, *options, cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    runs = {path.parent: json.loads(path.read_text()) for path in (tmp_path / "reports").glob("*/run.json")}
    (last,) = (folder for folder, run in runs.items() if run["care"])
    whole, without = runs[last]["care"]
    assert (whole["without"], without["without"]) == ([], ["cache"])
    assert whole["run"] == runs[last]["id"]
    assert without["requests_per_s"] > 2 * whole["requests_per_s"] > 0
    assert without["bytes_per_s"] > 2 * whole["bytes_per_s"] > 0
    assert whole["answer_bytes"] == without["answer_bytes"] and whole["answer_bytes"]["GET /hello"] > 0
    assert "without cache:" in done.stderr
    for text in (done.stdout, (last / "summary.md").read_text(), (last / "report.html").read_text()):
        assert "What the care of the app saves" in text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--without", "retires"], "takes no care of 'retires'; did you mean 'retries'? (it does of: cache, retries)"),
        (["--each"], "--each needs --without"),
        (["--without", "cache", "--each", "--repeat", "2"], "leave out --baseline and --repeat"),
    ],
)
def test_care_that_cannot_be_left_out_is_said(tmp_path, options: list[str], says: str):
    (tmp_path / "mine.py").write_text(CAREFUL)
    with small_server() as url:
        done = dbz("load", "mine.py", "--target", url, *options, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert says in " ".join(done.stderr.split())
