"""What a scenario's own code does to a run: it raises, it exits, it ends the run, it listens; the verdict knows."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz, newest_run, small_server
from tests.load.locust_agreement import counting_server
from tests.whole import some

HEAD = """
import itertools, os, sys, time
from locust import HttpUser, FastHttpUser, LoadTestShape, User, constant, events, task
import dbz.users

class U(HttpUser):
    wait_time = constant(0.05)
    @task
    def hello(self):
        self.client.get("/hello")
"""
BUDGETS = "schema: dbz.budgets/1\nbudgets:\n  - {name: slow, of: http, stat: p95, limit: '< 5s'}\n"
ON_ERRORS = "  - {name: failing, of: errors, stat: error_rate, limit: '< 0.1%'}\n"


def load(folder: Path, code: str, *options: str, any_error: bool = False) -> tuple[int, dict[str, Any]]:
    """Run a Locust file against a small server; the exit code and run.json."""
    (folder / "mine.py").write_text(code)
    (folder / "b.yaml").write_text(BUDGETS if any_error else BUDGETS + ON_ERRORS)
    with small_server() as url:
        base = ["load", "mine.py", "--target", url, "--budgets", "b.yaml", "--no-live"]
        if "Shape" not in code.split("import dbz.users")[1]:
            base += ["--users", "4", *([] if "--duration" in options else ["--duration", "2s", "--warmup", "0s"])]
        done = dbz(*base, *options, cwd=folder)
    return done.returncode, newest_run(folder) if (folder / "reports").exists() else {"reasons": [done.stderr]}


def rows(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The operations by kind and name."""
    return {f"{one['kind']} {one['name']}": one for one in run["operations"]}


RAISING = {
    "a task": ("    @task\n    def broken(self):\n        {}['nope']\n", "U.broken", "KeyError: 'nope' (mine.py:13)"),
    "an import in a task": (
        "    @task\n    def broken(self):\n        import not_there\n",
        "U.broken",
        "ModuleNotFoundError: No module named 'not_there' (mine.py:13)",
    ),
    "a listener of requests": (
        "@events.request.add_listener\ndef look(**_):\n    raise ValueError('cannot look')\n",
        "listener of request",
        "ValueError: cannot look (mine.py:13)",
    ),
}


@pytest.mark.parametrize(
    ("where", "any_error"),
    some([("an import in a task", False), ("a task", True), ("a listener of requests", True)], 2),
)
def test_code_that_raises_is_a_failed_attempt_with_its_line(where: str, any_error: bool, tmp_path: Path) -> None:
    code, name, error = RAISING[where]
    status, run = load(tmp_path, HEAD + code, any_error=any_error)
    failed = rows(run)[f"task {name}"]
    assert (status, failed["errors"]) == (ExitCode.BROKEN, failed["count"]) and failed["count"] > 5
    assert (run["errors"][0]["operation"], run["errors"][0]["error"]) == (name, error)
    assert rows(run)["http GET /hello"]["errors"] == 0


DYING = "    def on_start(self):\n        if next(N) % 2: raise RuntimeError('no login')\nN = itertools.count()\n"


@pytest.mark.parametrize("workers", some([2, 1], 1))
def test_users_that_cannot_start_fail_the_run_however_many_requests_the_others_make(
    workers: int, tmp_path: Path
) -> None:
    status, run = load(tmp_path, HEAD + DYING, "--workers", str(workers), any_error=True)
    assert (status, run["verdict"], run["generator"]["died_users"]) == (1, "fail", 2)
    assert run["reasons"][0] == "2 of 4 users could not go on: U.on_start: RuntimeError: no login (mine.py:12)"


def test_how_many_users_may_die_is_what_the_budget_on_errors_says(tmp_path: Path) -> None:
    (tmp_path / "lax.yaml").write_text(
        "schema: dbz.budgets/1\nbudgets:\n  - {name: e, of: errors, stat: error_rate, limit: '< 60%'}\n"
    )
    status, run = load(tmp_path, HEAD + DYING, "--budgets", "lax.yaml")
    assert (status, run["reasons"], run["generator"]["died_users"]) == (0, [], 2)


@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        (
            (
                "@events.test_start.add_listener\ndef seed(**_):\n    raise RuntimeError('no data')\n"
                "@events.quitting.add_listener\ndef check(**_):\n    raise RuntimeError('no check')\n"
            ),
            [
                "so what ran is not what the file means to run: RuntimeError: no data (mine.py:13)",
                "RuntimeError: no check (mine.py:16)",
            ],
        ),
        ("    def __init__(self, environment):\n        raise RuntimeError('no user')\n", ["RuntimeError: no user"]),
        (
            "class S(LoadTestShape):\n    def tick(self):\n        raise RuntimeError('no shape')\n",
            ["RuntimeError: no shape"],
        ),
    ],
)
def test_code_that_prepares_or_ends_the_run_and_raises_makes_it_invalid(
    code: str, reasons: list[str], tmp_path: Path
) -> None:
    status, run = load(tmp_path, HEAD + code)
    assert (status, run["verdict"]) == (ExitCode.INVALID, "invalid")
    assert all(any(reason in one for one in run["reasons"]) for reason in reasons), run["reasons"]


@pytest.mark.parametrize("how", some(["sys.exit(1)", "raise RuntimeError('no services')"], 1))
def test_a_listener_of_init_that_fails_ends_it_before_it_began(how: str, tmp_path: Path) -> None:
    status, run = load(tmp_path, HEAD + f"@events.init.add_listener\ndef prepare(**_):\n    {how}\n")
    assert (status == ExitCode.USAGE and "operations" not in run) or not run["operations"]


@pytest.mark.parametrize(
    ("how", "workers"),
    some([("sys.exit(2)", 2), ("exit()", 1), ("os._exit(0)", 1), ("os._exit(0)", 2), ("os._exit(3)", 1)], 2),
)
def test_a_process_that_the_scenario_ends_is_a_lost_worker(how: str, workers: int, tmp_path: Path) -> None:
    code = f"    @task\n    def leave(self):\n        if time.monotonic() > END: {how}\nEND = time.monotonic() + 3\n"
    status, run = load(tmp_path, HEAD + code, "--workers", str(workers), "--duration", "6s", "--warmup", "1s")
    assert (status, run["verdict"]) == (ExitCode.INVALID, "invalid")
    assert any("worker(s) were lost" in one for one in run["reasons"])


SUM = """
@events.quitting.add_listener
def check(environment, **_):
    total = environment.stats.total
    with open("stats.txt", "a") as file:
        file.write(f"{type(environment.runner).__name__} {total.num_requests} {total.num_failures} "
                   f"{total.avg_response_time:.0f} {total.get_response_time_percentile(0.95)}\\n")
    environment.process_exit_code = CODE
"""


@pytest.mark.parametrize(("base", "workers"), [("HttpUser", 2), ("dbz.users.HttpUser", 1)])
def test_an_exit_code_is_honoured_and_statistics_are_there_when_it_is_decided(
    base: str, workers: int, tmp_path: Path
) -> None:
    code = HEAD.replace("(HttpUser)", f"({base})").replace("/hello", "/slow") + "CODE = 1\n" + SUM
    status, run = load(tmp_path, code, "--workers", str(workers), "--duration", "3s", "--warmup", "0s")
    assert (status, run["reasons"]) == (1, ["the scenario set environment.process_exit_code to 1"])
    lines = [line.split() for line in (tmp_path / "stats.txt").read_text().splitlines()]
    (steering,) = [line for line in lines if line[0] in ("LocalRunner", "MasterRunner")]
    made = rows(run)["http GET /slow"]
    assert made["count"] <= int(steering[1]) < made["count"] * 2, "each request once, also those before the judged part"
    assert steering[2] == "0"
    for stat_ms in map(float, steering[3:5]):
        assert 50 <= stat_ms < 50_000, "milliseconds: each request takes the server 50"


def test_an_exit_code_of_0_hides_no_broken_budget(tmp_path: Path) -> None:
    code = HEAD.replace("/hello", "/missing") + "CODE = 0\n" + SUM
    status, run = load(tmp_path, code)
    assert (status, run["verdict"]) == (ExitCode.BROKEN, "fail")


LISTEN = """
@events.request.add_listener
def look(request_type, name, response_time, response_length, response, context, exception, **_):
    SEEN.append((request_type, name, response_time > 0, response_length, context["tenant"], str(exception)))
SEEN = []
@events.test_stop.add_listener
def write(environment, **_):
    with open("seen.txt", "w") as file:
        print(len(SEEN), environment.stats.total.num_requests, *sorted(set(SEEN)), sep="\\n", file=file)
"""


def test_listeners_of_requests_hear_of_our_users_too(tmp_path: Path) -> None:
    code = HEAD.replace("(HttpUser)", "(dbz.users.HttpUser)") + (
        "    @task\n    def missing(self): self.client.get('/missing?a=1', name='gone')\n"
        "    def context(self): return {'tenant': 'a'}\n"
    )
    load(tmp_path, code + LISTEN)
    seen, counted, *kinds = (tmp_path / "seen.txt").read_text().splitlines()
    assert int(seen) == int(counted) > 20
    assert kinds == ["('GET', '/hello', True, 5, 'a', 'None')", "('GET', 'gone', True, 5, 'a', 'HTTP 404')"]


def test_a_run_that_ends_itself_is_judged_until_there(tmp_path: Path) -> None:
    code = HEAD.replace("class U", "N = itertools.count()\nclass U") + (
        "        if next(N) == 60: self.environment.runner.quit()\n"
    )
    began_s = time.monotonic()
    status, run = load(tmp_path, code, "--duration", "60s", "--warmup", "1s")
    made = rows(run)["http GET /hello"]
    assert status == 0 and time.monotonic() - began_s < 60
    judged_s = run["window"]["end_s"] - run["window"]["start_s"]
    assert 0 < made["count"] <= 64 and made["rate_per_s"] == pytest.approx(made["count"] / judged_s, rel=0.05)
    assert judged_s < 50, "not until where it would have ended"
    assert "the scenario ended the run itself" in run["notes"][-1]


def test_a_shape_is_run_whole_and_judged_whole(tmp_path: Path) -> None:
    shape = (
        "class S(LoadTestShape):\n    def tick(self):\n        s = self.get_run_time()\n"
        "        return (2, 10) if s < 3 else (5, 10) if s < 6 else None\n"
    )
    status, run = load(tmp_path, HEAD + shape)
    assert (status, run["profile"]["users"], run["profile"]["duration"], run["profile"]["warmup"]) == (0, 5, 6, 0)
    assert 5.8 < run["window"]["end_s"] - run["window"]["start_s"] < 8.5
    folder = max((tmp_path / "reports").iterdir())
    samples = sum(
        1 for line in (folder / "worker-0.jsonl").read_text().splitlines() if json.loads(line)["users"] in (2, 5)
    )
    assert samples >= 6


def test_users_that_swallow_their_end_do_not_keep_the_run(tmp_path: Path) -> None:
    code = HEAD + (
        "    @task\n    def poll(self):\n        while True:\n            try:\n"
        "                self.client.get('/hello')\n"
        "                time.sleep(0.01)\n            except:\n                pass\n"
    )
    began_s = time.monotonic()
    status, run = load(tmp_path, code, "--workers", "2")
    assert (status, run["verdict"]) == (0, "pass") and time.monotonic() - began_s < 120


FIRE = """
class {of}(User):
    wait_time = constant(0.05)
    @task
    def t(self):
        self.environment.events.request.fire(request_type="RPC", name="{name}", response_time={time}, response_length=0,
            exception={error}, context={{}})
"""


def test_failures_without_a_time_are_failures_and_successes_without_one_no_latency(tmp_path: Path) -> None:
    """And half an emoji in a name or an error is written as its number."""
    half = "\\ud83c"
    code = FIRE.format(of="V", name="failing", time=None, error="ValueError('no')")
    code += FIRE.format(of="W", name="good", time=None, error=None)
    code += FIRE.format(of="X", name=half, time=5.0, error=f"ValueError('{half}')")
    status, run = load(tmp_path, HEAD + code)
    assert status == ExitCode.BROKEN
    assert rows(run)["other RPC failing"]["errors"] == rows(run)["other RPC failing"]["count"] > 10
    counted = rows(run)["untimed RPC good"]
    assert (counted["errors"], counted["latency_ms"]["p50"]) == (0, None) and counted["count"] > 10
    errors = {(one["operation"], one["error"]) for one in run["errors"]}
    assert errors == {("RPC failing", "ValueError: no"), (f"RPC {half}", f"ValueError: {half}")}


def test_each_class_loads_its_own_host(tmp_path: Path) -> None:
    with small_server() as one, small_server() as other:
        (tmp_path / "mine.py").write_text(
            f"from locust import HttpUser, constant, task\nimport dbz.users\nclass A(HttpUser):\n    host = '{one}'\n"
            "    wait_time = constant(0.1)\n    @task\n    def t(self): self.client.get('/missing')\n"
            f"class B(dbz.users.HttpUser):\n    host = '{other}'\n"
            "    wait_time = constant(0.1)\n    @task\n    def t(self): assert self.client.get('/hello').url == "
            f"'{other}/hello'\n"
        )
        options = ["--users", "4", "--duration", "2s", "--warmup", "1s", "--no-live", "--workers", "2"]
        dbz("load", "mine.py", *options, cwd=tmp_path)
    run = newest_run(tmp_path)
    assert run["target"] == one
    failing = {name: one["errors"] > 0 for name, one in rows(run).items()}
    assert failing == {"http GET /hello": False, "http GET /missing": True}


def test_no_listener_leads_a_run_away_from_its_target(tmp_path: Path) -> None:
    with counting_server() as other:
        url = f"http://127.0.0.1:{other.server_port}"
        aim = "@events.{event}.add_listener\ndef aim(environment, **_):\n    environment.host = '{url}'\n"
        code = "".join(aim.format(event=event, url=url) for event in ("init", "test_start"))
        _, run = load(tmp_path, HEAD + code)
        assert rows(run)["http GET /hello"]["count"] > 10
        assert not other.hits  # type: ignore[attr-defined]


def test_what_users_do_beside_their_tasks_ends_with_them_and_counts_when_it_raises(tmp_path: Path) -> None:
    code = HEAD.replace("(HttpUser)", "(dbz.users.HttpUser)") + (
        "    def on_start(self):\n        self.background(self.poll, '/poll')\n        self.background(self.fail)\n"
        "    def poll(self, path):\n        while True:\n            self.client.get(path)\n"
        "            self.pause(0.05, 0.1)\n"
        "    def fail(self):\n        self.pause(0.8, 1)\n        raise RuntimeError('beside')\n"
    )
    status, run = load(tmp_path, code)
    assert status == ExitCode.BROKEN
    assert rows(run)["http GET /poll"]["count"] > 20 and rows(run)["http GET /hello"]["count"] > 20
    assert run["errors"][0]["error"] == "RuntimeError: beside (mine.py:20)"
    assert run["generator"]["died_users"] == 0
