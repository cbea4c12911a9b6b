"""A load whose workers join from elsewhere: one record, one verdict, and a lost worker is noticed."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from dbz.children import free_port
from dbz.errors import ExitCode
from tests.children.processes import carrying, ended, eventually
from tests.cli.running import DBZ, dbz, newest_run, small_server, start_dbz

SCENARIO = """\
from dbz.users import HttpUser, constant, setup, task

@setup
def open_the_hall(run):
    return {"path": "/" + run.client.get("/what").text}

class Visitor(HttpUser):
    wait_time = constant(0.02)

    @task
    def visit(self):
        self.client.get(f"{self.shared['path']}?seat={self.seat}")
        self.count("visits")
"""


@pytest.fixture(scope="module", autouse=True)
def lonely(tmp_path_factory):
    """A worker whose master never comes: it has patience for a quarter of a minute, beside the tests before its own."""
    arguments = ["load", "worker", "--master-port"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else comes to
        arguments.append(str(taken.getsockname()[1]))
        pipe = subprocess.PIPE
        with ended(
            start_dbz(arguments, tmp_path_factory.mktemp("lonely"), stdout=pipe, stderr=pipe, text=True)
        ) as worker:
            yield worker
            worker.kill()


class Hall:
    """A master and its workers, each in a folder of its own, as on machines of their own."""

    def __init__(self, folder: Path, resources: ExitStack) -> None:
        self.folder = folder
        self.port = free_port()
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self._resources = resources

    def start(self, name: str, *arguments: str, secret: str = "") -> subprocess.Popen[str]:
        """Start a `dbz load` that is part of this run."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        command = [*DBZ, "load", *arguments, "--master-port", str(self.port)]
        env = {**os.environ, "DBZ_TEST": f"{self.folder}-{name}", "NO_COLOR": "1", "DBZ_WORKER_SECRET": secret}
        env["TMPDIR"] = str(self.temporary)
        process = subprocess.Popen(
            command, cwd=home, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._resources.callback(end, process)
        return process

    def say(self, mode: str, secret: str = "") -> str:
        """Have somebody evil talk to the master; what the master told him."""
        command = [sys.executable, "-m", "tests.load.evil_worker", str(self.port), mode]
        env = {**os.environ, "DBZ_WORKER_SECRET": secret}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def measuring(self) -> bool:
        """Whether both workers' records have begun to arrive."""
        return len(list(self.folder.rglob("worker-*.jsonl"))) == 2


def end(process: subprocess.Popen[str]) -> None:
    """Make sure that a process has ended, and let go of its pipes."""
    process.terminate()
    process.wait(30)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def test_workers_join_get_the_scenario_and_their_records_are_one(tmp_path):
    (tmp_path / "master").mkdir()
    (tmp_path / "master" / "mine.py").write_text(SCENARIO)
    with small_server() as url, ExitStack() as resources:
        hall = Hall(tmp_path, resources)
        options = ["--target", url, "--users", "6", "--duration", "3s", "--warmup", "1s", "--budgets", "none"]
        master = hall.start("master", "mine.py", "--master", "--workers", "2", *options, "--json")
        workers = [hall.start(f"worker{number}", "worker") for number in range(2)]
        out, err = master.communicate(timeout=90)
        assert master.returncode == ExitCode.OK, err
        assert [worker.wait(30) for worker in workers] == [ExitCode.OK, ExitCode.OK]
    run = json.loads(out)
    assert (run["verdict"], run["users_held"], run["generator"]["workers"]) == ("pass", 6, 2)
    (visits,) = run["operations"]
    assert visits["name"] == "GET /hello" and visits["count"] > 100
    (counted,) = run["counters"]
    assert abs(counted["total"] - visits["count"]) <= 6
    assert not list(tmp_path.glob("worker*/reports"))
    assert not list(hall.temporary.iterdir()), "nothing is left behind, the scenario neither"


TWO_HOSTS = """\
from locust import HttpUser, constant, task

class Here(HttpUser):
    host = "{}"
    wait_time = constant(0.02)

    @task
    def visit(self):
        self.client.get("/hello")

class Elsewhere(HttpUser):
    host = "http://192.0.2.1"
    wait_time = constant(0.1)

    @task
    def nothing(self):
        pass
"""
"""Nobody is ever asked at the second one."""


def test_a_worker_that_may_not_load_a_host_leaves_its_place_to_another(tmp_path):
    allowed = ["--allow-target", "192.0.2.1"]
    with small_server() as url, ExitStack() as resources:
        hall = Hall(tmp_path, resources)
        (tmp_path / "master").mkdir()
        (tmp_path / "master" / "locustfile.py").write_text(TWO_HOSTS.format(url))
        options = ["--users", "2", "--duration", "1s", "--warmup", "0s", "--budgets", "none"]
        master = hall.start("master", "locustfile.py", "--master", "--workers", "1", *options, *allowed)
        refused = hall.start("refused", "worker")
        assert refused.wait(60) == ExitCode.USAGE and "nobody allowed a load on it" in refused.stderr.read()
        worker = hall.start("worker", "worker", *allowed)
        out, err = master.communicate(timeout=90)
        assert (master.returncode, worker.wait(30)) == (ExitCode.OK, ExitCode.OK), out + err


def test_a_lost_worker_makes_the_run_invalid(tmp_path):
    with small_server() as url, ExitStack() as resources:
        hall = Hall(tmp_path, resources)
        options = ["--users", "4", "--duration", "6s"]
        master = hall.start("master", f"{url}/hello", "--master", "--workers", "2", *options)
        for number in range(2):
            hall.start(f"worker{number}", "worker")
        assert eventually(hall.measuring)
        for pid in carrying("DBZ_TEST", f"{tmp_path}-worker1"):
            os.kill(pid, signal.SIGKILL)
        out, _ = master.communicate(timeout=90)
    assert master.returncode == ExitCode.INVALID
    assert newest_run(tmp_path / "master")["generator"]["lost_workers"] == 1
    assert "worker" in out


def test_strangers_are_told_nothing_and_insiders_break_nothing(tmp_path):
    secret = "a secret of these tests"
    with small_server() as url, ExitStack() as resources:
        hall = Hall(tmp_path, resources)
        options = ["-H", "Authorization: Bearer NOBODYS-BUSINESS", "--users", "2", "--duration", "4s", "--warmup", "1s"]
        master = hall.start("master", f"{url}/hello", "--master", "--workers", "1", *options, "--json", secret=secret)
        assert eventually(lambda: _listens(hall.port))
        assert hall.say("stranger") == ""
        hall.say("insider", secret)
        wrong = hall.start("wrong", "worker", secret="another")
        hall.start("worker", "worker", secret=secret)
        assert eventually(lambda: len(list(tmp_path.rglob("worker-*.jsonl"))) == 1)
        assert hall.say("stranger") == ""
        hall.say("insider", secret)
        out, err = master.communicate(timeout=90)
        assert master.returncode == ExitCode.OK, err
        assert wrong.wait(30) == ExitCode.UNREACHABLE
        assert "another DBZ_WORKER_SECRET" in wrong.communicate()[1]
    run = json.loads(out)
    assert (run["verdict"], run["generator"]["lost_workers"], run["generator"]["workers"]) == ("pass", 0, 1)
    assert [operation["name"] for operation in run["operations"]] == ["GET /hello"]
    assert secret not in out + err


def test_a_master_for_other_machines_wants_a_secret(tmp_path):
    done = dbz("load", "smoke", "--master", "--master-host", "0.0.0.0", cwd=tmp_path)
    assert (done.returncode, "DBZ_WORKER_SECRET" in done.stderr) == (ExitCode.USAGE, True), done.stderr
    short = dbz("load", "smoke", "--master", "--master-host", "0.0.0.0", cwd=tmp_path, DBZ_WORKER_SECRET="guess-me")
    assert short.returncode == ExitCode.USAGE and "at least 16 characters" in short.stderr
    assert "guess-me" not in short.stderr
    done = dbz("load", "worker", "--master-host", "192.0.2.1", cwd=tmp_path)
    assert (done.returncode, "DBZ_WORKER_SECRET" in done.stderr) == (ExitCode.USAGE, True), done.stderr


def test_a_worker_without_a_master_gives_up_with_a_message(lonely):
    _, said = lonely.communicate(timeout=60)
    assert lonely.returncode == ExitCode.UNREACHABLE
    assert "no master answered at 127.0.0.1:" in said


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
