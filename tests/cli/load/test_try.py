"""`dbz try`: one user does everything once, and what passed is printed."""

from __future__ import annotations

import json
from pathlib import Path

from dbz.errors import ExitCode
from tests.cli.running import dbz, small_server
from tests.load.socketio_servers import serving

SCENARIO = """\
from locust import TaskSet
from dbz.users import HttpUser, secret, task

KEY = secret("DBZ_TRY_KEY")

class Reader(HttpUser):
    def on_start(self):
        self.client.get("/hello?key=" + KEY, name="/hello")

    @task(5)
    def hello(self):
        self.client.get("/hello")

    @task
    class Inner(TaskSet):
        @task
        def missing(self):
            self.client.get("/missing")

        @task
        def broken(self):
            raise ValueError("a mistake")
"""
GOOD = """\
from locust import HttpUser, task

class Reader(HttpUser):
    @task
    def hello(self):
        self.client.post("/hello", json={"a": 1}, headers={"X-One": "1", "Authorization": "Bearer hidden-token"})
"""
TALKER = """\
from dbz.users import SocketUser, task

class Talker(SocketUser):
    def on_start(self):
        self.socket.on("welcome", lambda *_: None)
        self.socket.connect({"token": "t"})

    @task
    def talk(self):
        self.socket.call("echo", {"text": "well"})
        self.socket.emit("to_all", 1)
"""


def test_every_task_is_done_once_and_what_failed_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "scenario.py").write_text(SCENARIO)
    with small_server() as url:
        done = dbz("try", "scenario.py", "--target", url, cwd=tmp_path, DBZ_TRY_KEY="k3y-of-mine")
    assert done.returncode == ExitCode.BROKEN, done.stderr
    steps = [line[3:] for line in done.stdout.splitlines() if line.startswith("── ")]
    assert steps == [
        "Reader.on_start", "Reader.hello", "Reader.Inner.on_start", "Reader.Inner.missing", "Reader.Inner.broken",
        "Reader.Inner.on_stop", "Reader.on_stop",
    ]  # fmt: skip
    assert "k3y-of-mine" not in done.stdout + done.stderr and "key=<DBZ_TRY_KEY>" in done.stdout
    assert "GET /missing: HTTP 404" in done.stdout and "< hello" in done.stdout
    assert "Reader.Inner.broken raised ValueError: a mistake at scenario.py:22" in done.stdout
    assert "✗ 3 requests, 0 packets of sockets, 2 failed:" in done.stdout


def test_locusts_own_client_is_shown_too_and_tokens_are_not(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(GOOD)
    with small_server() as url:
        done = dbz("try", "locustfile.py", "--target", url, "--full", cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stdout
    assert '> {"a": 1}' in done.stdout and "✓ HTTP 200" in done.stdout
    assert "hidden-token" not in done.stdout and "Authorization: ***" in done.stdout
    assert "✓ 1 request, 0 packets of sockets, nothing failed" in done.stdout


def test_packets_of_sockets_are_shown_in_both_directions(tmp_path: Path) -> None:
    (tmp_path / "talker.py").write_text(TALKER)
    with serving("python", tmp_path / "server.log") as (url, _):
        done = dbz("try", "talker.py", "--target", url, "--json", cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    packets = [row for row in map(json.loads, done.stdout.splitlines()) if row["what"] == "socket"]
    kinds = [(row["sent"], row["kind"], row["data"]) for row in packets]
    assert (True, "event with ack", ["echo", {"text": "well"}]) in kinds
    assert (False, "ack", [{"text": "well"}]) in kinds
    assert (True, "event", ["to_all", 1]) in kinds
    assert any(
        row["data"][0] == "welcome" and row["handled"] for row in packets if row["kind"] == "event" and not row["sent"]
    )


def test_a_target_that_is_away_and_a_wrong_file(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(GOOD)
    away = dbz("try", "locustfile.py", "--target", "http://127.0.0.1:9", cwd=tmp_path)
    assert away.returncode == ExitCode.BROKEN and "no answer" in away.stdout
    (tmp_path / "wrong.py").write_text("import nothing_of_this_name\n")
    wrong = dbz("try", "wrong.py", "--target", "http://127.0.0.1:9", cwd=tmp_path)
    assert wrong.returncode == ExitCode.USAGE and "wrong.py:1" in wrong.stderr
