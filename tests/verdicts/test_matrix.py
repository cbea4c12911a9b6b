"""Whatever is bad, and whatever runs: no verdict is green.

Each cell is a load as a user starts it, against a server that is bad in one way (`bad_server`), or with a generator, a
disk or a worker to which something happens. The cells run side by side; most of their time they wait. `make test` runs
every row and every column of the matrix and a part of its cells, `make torture` runs all.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from dbz.errors import ExitCode
from tests.children.processes import ended, runs
from tests.cli.running import run_dbz
from tests.whole import WHOLE

AT_A_TIME = 8

SCENARIO = """\
from dbz.users import HttpUser, constant, task

class Reader(HttpUser):
    wait_time = constant(0.05)

    def on_start(self):
        answer = self.client.post("/login", json={"name": "ann"}, name="login")
        self.client.headers["Authorization"] = "Bearer " + answer.json()["token"]

    @task
    def read(self):
        with self.client.get("/items", name="items", catch_response=True) as answer:
            if not answer.json()["ok"]:
                answer.failure("not ok")
"""
INDIFFERENT = """\
from locust import FastHttpUser, HttpUser, constant, task

class Reader(HttpUser):
    wait_time = constant(0.05)

    @task
    def read(self):
        self.client.get("/items", name="items")

class FastReader(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def read(self):
        self.client.get("/items", name="items")
"""
LOCUST_FILE = SCENARIO.replace("dbz.users", "locust")
SOCKETS = """\
from dbz.users import SocketOptions, SocketUser, constant, task

class Talker(SocketUser):
    wait_time = constant(0.2)

    def on_start(self):
        self.said = 0
        self.socket.options = SocketOptions(transports=("websocket",))
        self.socket.on("said", self.on_said)
        self.socket.connect()
        self.client.get("/items", name="items")

    def on_connected(self):
        self.deliveries.join("said", "all", self.seat)

    def on_said(self, message):
        self.deliveries.received("said", "all", message["key"], self.seat)

    @task
    def say(self):
        self.said += 1
        key = f"{self.seat}-{self.said}"
        self.deliveries.sent("said", "all", key, self.seat)
        self.socket.emit("said", {"key": key})
"""
BUDGETS = """\
schema: dbz.budgets/1
budgets:
  - {name: quick, of: http, stat: p95, limit: "< 500ms"}
  - {name: errors, of: errors, stat: error_rate, limit: "< 1%", required: true}
"""
SERVER_BUDGETS = BUDGETS + '  - {name: cpu, of: server.cpu, stat: mean, limit: "< 70%", required: true}\n'
PROFILE = """\
schema: dbz.profile/1
name: mine
scenario: scenario.py
target: ${MATRIX_TARGET}
users: 3
duration: 3s
warmup: 1s
budgets: budgets.yaml
"""
FILES = {
    "scenario.py": SCENARIO,
    "locustfile.py": LOCUST_FILE,
    "indifferent.py": INDIFFERENT,
    "sockets.py": SOCKETS,
    "budgets.yaml": BUDGETS,
    "server.yaml": SERVER_BUDGETS,
    "profile.yaml": PROFILE,
}
SHORT = ["--duration", "3s", "--warmup", "1s"]
LONG = ["--duration", "9s", "--warmup", "1s"]

RUNS = {
    "URL, open": ["{url}/items", "--rate", "40/s", *SHORT],
    "URL, closed": ["{url}/items", "--users", "3", *SHORT],
    "profile": ["profile.yaml"],
    "Locust file": ["locustfile.py", "--target", "{url}", "--users", "3", *SHORT],
    "Locust file, 2 workers": ["locustfile.py", "--target", "{url}", "--users", "4", "--workers", "2", *SHORT],
    "Locust file that judges nothing": ["indifferent.py", "--target", "{url}", "--users", "4", *SHORT],
    "scenario, open": ["scenario.py", "--target", "{url}", "--rate", "20/s", "--users", "40", *SHORT],
    "scenario, twice": ["scenario.py", "--target", "{url}", "--users", "3", *SHORT, "--repeat", "2"],
    "sockets": ["sockets.py", "--target", "{url}", "--users", "4", *SHORT],
    "sockets, 2 workers": ["sockets.py", "--target", "{url}", "--users", "4", "--workers", "2", *SHORT],
}
HTTP_RUNS = [name for name in RUNS if "sockets" not in name]
KNOWING_RUNS = [name for name in HTTP_RUNS if "URL" not in name and "judges nothing" not in name]
"""Runs whose scenario says what a right answer is; the others know an answer that says itself that it is none."""

BAD_FOR_ALL = ("refuses", "404", "503", "refuses half", "hangs", "dies at the start", "one of two is dead")
ROWS = {
    **dict.fromkeys(BAD_FOR_ALL, HTTP_RUNS),
    **dict.fromkeys(("an error inside", "a page"), HTTP_RUNS),
    **dict.fromkeys(("empty", "login fails"), KNOWING_RUNS),
    "dies at the end": ["URL, open", "URL, closed", "Locust file", "profile"],
    **dict.fromkeys(("sockets stay silent", "cuts sockets"), ("sockets", "sockets, 2 workers")),
}
"""By what is bad: the runs that can know it."""
CELLS = [
    (bad, run)
    for row, (bad, runs) in enumerate(ROWS.items())
    for column, run in enumerate(runs)
    if WHOLE or (column - row) % min(5, len(runs)) == 0
]
"""Every row and every column, or all cells."""


def test_every_row_and_every_column_is_run() -> None:
    assert {bad for bad, _ in CELLS} == set(ROWS) and {what for _, what in CELLS} == set(RUNS)


@contextlib.contextmanager
def bad_server(kind: str) -> Iterator[str]:
    """The URL of a server that is bad in this way."""
    if kind == "refuses":
        yield "http://127.0.0.1:9"
        return
    command = [sys.executable, "-m", "tests.verdicts.bad_server", kind]
    with ended(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as server:
        assert server.stdout
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.kill()


def load(folder: Path, url: str, arguments: list[str], timeout_s: float = 110) -> subprocess.CompletedProcess[str]:
    """`dbz load` in a folder that has the files of the matrix."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    words = ["load", *(part.format(url=url) for part in arguments), "--no-live"]
    return run_dbz(words, folder, {**os.environ, "NO_COLOR": "1", "MATRIX_TARGET": url}, timeout_s)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Future[Any]]]:
    """What became of each cell; all of them begin as soon as the first is asked for."""
    root = tmp_path_factory.mktemp("matrix")

    def run(number: int, bad: str, what: str) -> subprocess.CompletedProcess[str]:
        with bad_server(bad) as url:
            return load(root / str(number), url, RUNS[what])

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {cell: pool.submit(run, number, *cell) for number, cell in enumerate(CELLS)}


def assert_not_green(done: subprocess.CompletedProcess[str]) -> None:
    """Neither green nor a fault of dbz: broken, unreachable, or not a valid measurement; and it says why."""
    codes = {ExitCode.BROKEN, ExitCode.UNREACHABLE, ExitCode.INVALID}
    assert done.returncode in codes, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    assert "Traceback" not in done.stdout + done.stderr
    assert "✗" in done.stdout or "INVALID" in done.stdout or "dbz: " in done.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("bad", "what"), CELLS, ids=lambda name: str(name))
def test_nothing_bad_is_green(results: dict[tuple[str, str], Future[Any]], bad: str, what: str) -> None:
    assert_not_green(results[bad, what].result(timeout=280))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", ["URL, open", "profile", "Locust file, 2 workers", "sockets, 2 workers"])
def test_a_good_server_is_green(tmp_path: Path, what: str) -> None:
    with bad_server("good") as url:
        done = load(tmp_path, url, RUNS[what])
    assert done.returncode == ExitCode.OK, (done.stdout[-2500:], done.stderr[-2000:])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("model", [["--users", "3"], ["--rate", "40/s", "--users", "100"]], ids=["closed", "open"])
def test_five_seconds_of_silence_are_not_green(tmp_path: Path, model: list[str]) -> None:
    with bad_server("hangs for 5 s") as url:
        assert_not_green(load(tmp_path, url, ["locustfile.py", "--target", url, *model, *LONG]))


def generators(folder: Path) -> list[psutil.Process]:
    """The generator processes of the load that runs in a folder: workers, and not the master of several."""
    return [
        process
        for process in psutil.process_iter()
        if runs(process, "dbz.load.generator") and _folder_of(process) == folder
    ]


def _folder_of(process: psutil.Process) -> Path | None:
    try:
        return Path(process.cwd())
    except psutil.Error:
        return None


def later(folder: Path, after_s: float, act: Any) -> threading.Thread:
    """Do something to the generator processes of a folder, a while after they have begun."""

    def work() -> None:
        until_s = time.monotonic() + 60
        while time.monotonic() < until_s and not list(folder.glob("reports/*/worker-*.hlog")):
            time.sleep(0.05)
        time.sleep(after_s)
        act(generators(folder))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def kill_last(processes: list[psutil.Process]) -> None:
    """Kill the generator process that began last: a worker."""
    max(processes, key=lambda process: process.create_time()).kill()


@pytest.mark.timeout(300)
def test_a_lost_worker_is_not_green(tmp_path: Path) -> None:
    with bad_server("good") as url:
        thread = later(tmp_path, 2.0, kill_last)
        done = load(tmp_path, url, RUNS["Locust file, 2 workers"])
        thread.join()
    assert done.returncode == ExitCode.INVALID, (done.stdout[-2500:], done.stderr[-2000:])


@pytest.mark.timeout(300)
def test_broken_metrics_are_not_green_where_a_budget_needs_them(tmp_path: Path) -> None:
    with bad_server("metrics broken") as url:
        done = load(tmp_path, url, [*RUNS["Locust file"], "--budgets", "server.yaml"])
    assert_not_green(done)


@pytest.mark.timeout(300)
@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk of its own takes the rights of root to mount")
def test_a_full_disk_is_not_green(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2000k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no file system may be mounted here")

    def fill(_: object) -> None:
        with contextlib.suppress(OSError), (disk / "fill").open("wb") as file:
            while True:
                file.write(b"x" * 1024)
                file.flush()

    try:
        with bad_server("good") as url:
            thread = later(disk, 3.0, fill)
            done = load(disk, url, [*RUNS["Locust file"][: -len(SHORT)], *LONG])
            thread.join()
        assert done.returncode in {ExitCode.UNREACHABLE, ExitCode.INVALID}, (done.stdout[-2500:], done.stderr[-2000:])
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.timeout(300)
def test_a_bad_server_is_not_green_against_a_good_baseline_and_compare_says_so(tmp_path: Path) -> None:
    arguments = [*RUNS["Locust file"][3:], "--budgets", "none"]
    with bad_server("good") as url:
        assert (
            load(tmp_path, url, ["locustfile.py", "--target", url, *arguments, "--out", "good"]).returncode
            == ExitCode.OK
        )
    with bad_server("one of two is dead") as url:
        done = load(tmp_path, url, ["locustfile.py", "--target", url, *arguments, "--out", "bad", "--baseline", "good"])
    assert_not_green(done)
    compared = run_dbz(["report", "compare", "good", "bad"], tmp_path, os.environ)
    # 2: the run is not even taken for a comparison, because its figures cannot be trusted.
    assert compared.returncode in {ExitCode.BROKEN, ExitCode.INVALID, ExitCode.USAGE}, compared.stdout


@pytest.mark.parametrize(
    "document",
    [
        {"metrics": {"http_reqs": {"count": 10}, "http_req_failed": {"passes": 10, "fails": 0, "value": 1}}},
        {"metrics": {"http_reqs": {"count": 0, "rate": 0}}},
        {"metrics": {}},
        [],
    ],
    ids=["all failed", "no request", "nothing", "no entries"],
)
def test_a_results_file_without_anything_good_is_not_green(tmp_path: Path, document: Any) -> None:
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    (tmp_path / "results.json").write_text(json.dumps(document))
    done = run_dbz(["budget", "check", "results.json", "--budgets", "budgets.yaml"], tmp_path, os.environ)
    assert done.returncode in {ExitCode.BROKEN, ExitCode.INVALID, ExitCode.USAGE}, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
