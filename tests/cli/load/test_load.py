"""`dbz load` from the user's side, on a small server and on the embedded stack."""

import contextlib
import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from dbz.errors import ExitCode
from tests.children.processes import carrying, eventually
from tests.cli.running import DBZ, dbz, newest_run, small_server, start_dbz

REPORTS = {"run.json", "report.html", "junit.xml", "summary.md", "operations.csv", "worker-0.hlog"}
LOCUST_FILE = """\
from locust import HttpUser, between, task, events

class Visitor(HttpUser):
    wait_time = between(0.01, 0.02)

    @task(3)
    def hello(self):
        self.client.get("/hello")

    @task
    def missing(self):
        with self.client.get("/missing", name="missing", catch_response=True) as response:
            if response.status_code == 404:
                response.success()
"""


def test_a_url_is_loaded_and_reported(tmp_path):
    with small_server() as url:
        done = dbz("load", f"{url}/hello?x=1", "--users", "3", "--duration", "2s", "--json", cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stderr
    run = json.loads(done.stdout)
    assert run == newest_run(tmp_path)
    assert (run["schema"], run["verdict"], run["users_held"]) == ("dbz.run/1", "pass", 3)
    (operation,) = run["operations"]
    assert (operation["name"], operation["errors"]) == ("GET /hello", 0)
    assert operation["count"] > 10
    folder = next((tmp_path / "reports").iterdir())
    assert {path.name for path in folder.iterdir()} >= REPORTS


ELSEWHERE = """\
import gevent, socket
from locust import FastHttpUser, HttpUser, constant, task

class Plain(HttpUser):
    wait_time = constant(0.2)

    @task
    def elsewhere(self):
        self.client.get("http://192.0.2.1/", name="address", timeout=1)
        self.client.get("http://somewhere.example/", name="name", timeout=1)
        self.client.get("/hello")

class Fast(FastHttpUser):
    wait_time = constant(0.2)

    @task
    def elsewhere(self):
        self.client.get("http://192.0.2.1/", name="fast address")
        self.client.get("http://somewhere.example/", name="fast name")
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"?", ("192.0.2.1", 53))
"""


def test_a_locust_file_cannot_leave_this_machine_with_any_client(tmp_path):
    (tmp_path / "elsewhere.py").write_text(ELSEWHERE)
    with small_server() as url:
        options = ["--target", url, "--users", "2", "--duration", "2s", "--warmup", "1s", "--json"]
        done = dbz("load", "elsewhere.py", *options, cwd=tmp_path)
    operations = {one["name"]: one for one in json.loads(done.stdout)["operations"]}
    assert operations["GET /hello"]["errors"] == 0
    outside = {name: one for name, one in operations.items() if name != "GET /hello"}
    assert set(outside) == {"GET address", "GET name", "GET fast address", "GET fast name", "Fast.elsewhere"}
    assert all(one["errors"] == one["count"] > 0 for one in outside.values())
    errors = json.loads(done.stdout)["errors"]
    refused = [one["error"] for one in errors if "not on this machine and not allowed" in one["error"]]
    assert len(refused) == len(errors) == 5, errors


def test_an_open_load_keeps_its_rate(tmp_path):
    with small_server() as url:
        done = dbz("load", f"{url}/slow", "--rate", "50/s", "--duration", "3s", "--json", cwd=tmp_path)
    (operation,) = json.loads(done.stdout)["operations"]
    assert 140 <= operation["count"] <= 160


def test_method_headers_and_body_of_a_url_load_arrive(tmp_path):
    with small_server() as url:
        options = ["-X", "POST", "-H", "X-One: 1", "-d", '{"a": 1}', "--duration", "1s", "--users", "1"]
        done = dbz("load", f"{url}/post", *options, "--json", cwd=tmp_path)
    (operation,) = json.loads(done.stdout)["operations"]
    assert (operation["name"], operation["errors"]) == ("POST /post", 0)


def test_a_broken_budget_exits_1_and_says_which_and_by_how_much(tmp_path):
    budgets = "schema: dbz.budgets/1\nbudgets:\n  - {name: quick, of: http, stat: p95, limit: '< 1ms'}\n"
    (tmp_path / "strict.yaml").write_text(budgets)
    with small_server() as url:  # each answer after 50 ms: of those that take a second the end may cut off one of three
        done = dbz("load", f"{url}/slow", "--duration", "2s", "--budgets", "strict.yaml", cwd=tmp_path)
    assert done.returncode == ExitCode.BROKEN
    assert "FAIL" in done.stdout
    assert "quick" in done.stdout and "times the limit" in done.stdout
    run = newest_run(tmp_path)
    assert run["verdict"] == "fail"
    assert run["budgets"][0]["verdict"] == "broken"


def test_what_was_not_measured_does_not_pass_and_breaks_when_required(tmp_path):
    budgets = (
        "schema: dbz.budgets/1\nbudgets:\n"
        "  - {name: chat, of: 'delivery{event=chat}', stat: p95, limit: '< 1s'}\n"
        "  - {name: score, of: 'delivery{event=score}', stat: p95, limit: '< 1s', required: true}\n"
    )
    (tmp_path / "b.yaml").write_text(budgets)
    with small_server() as url:
        done = dbz("load", f"{url}/", "--duration", "1s", "--budgets", "b.yaml", cwd=tmp_path)
    assert done.returncode == ExitCode.BROKEN
    verdicts = [budget["verdict"] for budget in newest_run(tmp_path)["budgets"]]
    assert verdicts == ["not measured", "not measured"]
    assert "score" in done.stdout


def test_failing_requests_are_errors_with_their_reason(tmp_path):
    with small_server() as url:
        dbz("load", f"{url}/missing", "--duration", "1s", cwd=tmp_path)
    run = newest_run(tmp_path)
    (operation,) = run["operations"]
    assert operation["errors"] == operation["count"] > 0
    assert operation["latency_ms"]["p50"] is None
    assert run["errors"][0]["error"] == "HTTP 404"


def test_requests_that_hang_when_the_run_ends_are_failures(tmp_path):
    with small_server() as url:
        done = dbz("load", f"{url}/hang", "--users", "5", "--warmup", "0s", "--duration", "7s", "--json", cwd=tmp_path)
    run = json.loads(done.stdout)
    assert run["operations"][0]["errors"] == 5
    assert run["errors"][0]["error"] == "no answer when the user was stopped"


def test_a_locust_file_runs_unmodified(tmp_path):
    (tmp_path / "mine.py").write_text(LOCUST_FILE)
    with small_server() as url:
        options = ["--users", "4", "--duration", "2s", "--warmup", "1s", "--budgets", "none", "--json"]
        done = dbz("load", "mine.py", "--target", url, *options, cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    names = {operation["name"]: operation for operation in json.loads(done.stdout)["operations"]}
    assert set(names) == {"GET /hello", "GET missing"}
    assert all(operation["errors"] == 0 and operation["count"] > 0 for operation in names.values())


def test_several_workers_share_the_users_and_their_records_are_one(tmp_path):
    with small_server() as url:
        options = ["--users", "6", "--workers", "2", "--duration", "2s", "--json"]
        done = dbz("load", f"{url}/slow", *options, cwd=tmp_path)
    run = json.loads(done.stdout)
    assert (run["verdict"], run["users_held"], run["generator"]["workers"]) == ("pass", 6, 2)
    (operation,) = run["operations"]
    answers = operation["answers"]
    assert answers["count"] == operation["count"] and answers["bytes"] > 0, "both workers' answers are counted"
    assert answers["first_byte_ms"] == pytest.approx(answers["mean_ms"], rel=0.5), "this server is slow to begin"
    folder = next((tmp_path / "reports").iterdir())
    assert len(list(folder.glob("worker-*.hlog"))) == 2


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_saved_judged_and_reported(tmp_path, stop):
    with small_server() as url:
        process = start_dbz(
            ["load", f"{url}/hello", "--duration", "60s"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert eventually(lambda: measuring(tmp_path))
        process.send_signal(stop)
        out, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED, err
    run = newest_run(tmp_path)
    assert run["verdict"] == "interrupted"
    assert run["operations"][0]["count"] > 0
    assert "INTERRUPTED" in out.upper()
    folder = next((tmp_path / "reports").iterdir())
    assert {path.name for path in folder.iterdir()} >= REPORTS


def test_a_killed_dbz_leaves_its_record_and_no_process(tmp_path):
    with small_server() as url:
        env = {**os.environ, "DBZ_TEST": str(tmp_path)}
        process = subprocess.Popen([*DBZ, "load", f"{url}/hello", "--duration", "60s"], cwd=tmp_path, env=env)
        assert eventually(lambda: measuring(tmp_path))
        process.kill()
        process.wait()
        assert eventually(lambda: not carrying("DBZ_TEST", str(tmp_path)))
    shown = dbz("report", "show", cwd=tmp_path)
    assert shown.returncode == ExitCode.OK
    assert "GET /hello" in shown.stdout


def test_a_lost_worker_makes_the_run_invalid(tmp_path):
    with small_server() as url:
        process = subprocess.Popen(
            [*DBZ, "load", f"{url}/hello", "--duration", "4s", "--workers", "2", "--users", "4"],
            cwd=tmp_path,
            env={**os.environ, "DBZ_TEST": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert eventually(lambda: measuring(tmp_path))
        os.kill(worker_pid(tmp_path), signal.SIGKILL)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INVALID
    assert newest_run(tmp_path)["verdict"] == "invalid"
    assert "worker" in out


def measuring(folder: Path) -> bool:
    """Whether the run in a folder has recorded some of its judged part."""
    return any(
        log.read_text().count("\n") >= 5
        for log in folder.rglob("worker-0.jsonl")
        if log.with_name("marks.jsonl").exists()
    )


def worker_pid(folder: Path) -> int:
    """The process of worker 1, not its guard."""
    (pid,) = (
        pid
        for pid in carrying("DBZ_TEST", str(folder))
        if '"worker": 1' in psutil.Process(pid).environ().get("DBZ_LOAD_SPEC", "")
        and "dbz.load.generator" in psutil.Process(pid).cmdline()[-1]
        and not any("guard.py" in part for part in psutil.Process(pid).cmdline())
    )
    return pid


def test_repeated_runs_are_compared_with_a_baseline_together(tmp_path):
    with small_server() as base:
        load = ("load", f"{base}/", "--users", "2", "--duration", "1s", "--warmup", "0s")
        assert dbz(*load, "--repeat", "2", "--out", "main", cwd=tmp_path).returncode == 0
        done = dbz(*load, "--repeat", "2", "--baseline", "main", "--threshold", "900%", "--json", cwd=tmp_path)
    assert "run 1 of 2: PASS" in done.stderr
    comparison = json.loads(done.stdout)["comparison"]
    assert (len(comparison["base"]), len(comparison["new"]), done.returncode) == (2, 2, 0)
    refused = dbz(*load, "--users", "3", "--baseline", "main", cwd=tmp_path)
    assert refused.returncode == 2 and "users differs: 2 in" in refused.stderr


def test_a_run_stops_when_a_budget_stays_broken(tmp_path):
    budget = "{name: never, of: http, stat: p50, limit: '< 0.001ms', window: 1s, abort_after: 1s}"
    (tmp_path / "b.yaml").write_text(f"schema: dbz.budgets/1\nbudgets:\n  - {budget}\n")
    with small_server() as base:
        load = ("load", f"{base}/", "--users", "2", "--duration", "60s", "--warmup", "0s", "--budgets", "b.yaml")
        done = dbz(*load, "--json", cwd=tmp_path)
    run = json.loads(done.stdout)
    assert (done.returncode, run["verdict"]) == (1, "fail") and run["duration_s"] < 30
    assert run["reasons"][0].startswith("stopped early, broken for 1 s on end: never: p50 of http is ")


def test_the_metrics_of_a_run_can_be_scraped_while_it_goes_on(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    load = ("--users", "2", "--duration", "4s", "--warmup", "0s", "--no-live", "--metrics", f"127.0.0.1:{port}")
    seen = []

    def scrape():
        with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1) as answer:
            seen.append(answer.read().decode())
        return bool(seen) and 'dbz_attempts_total{kind="http",operation="GET /hello",outcome="ok"}' in seen[-1]

    with small_server() as url, start_dbz(["load", f"{url}/hello", *load], cwd=tmp_path) as run:
        assert eventually(scrape)
    assert run.returncode == ExitCode.OK
