"""The club app on phones, against the server that it is made for, and what a load may leave out of its care."""

from __future__ import annotations

import json

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


def test_care_that_no_user_of_a_scenario_takes_cannot_be_left_out(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from dbz.users import HttpUser, task\n\n\nclass Mine(HttpUser):\n    care = ('retries',)\n\n"
        "    @task\n    def ask(self):\n        self.client.get('/hello')\n"
    )
    with small_server() as url:
        done = dbz("load", "mine.py", "--target", url, "--without", "retires", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "takes no care of 'retires'; did you mean 'retries'? (it does of: retries)" in done.stderr
