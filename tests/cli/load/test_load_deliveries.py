"""Deliveries of a real load: one worker, several, or several that joined a master expect the same of each message."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dbz.errors import ExitCode
from tests.cli.load.test_load_distributed import Hall
from tests.cli.running import dbz, newest_run, small_server
from tests.whole import some

USERS = 6
SCENARIO = """
import time
from dbz.users import HttpUser, constant, task

BOARD = "{board}"

class Member(HttpUser):
    '''Two write on a board, which all read.'''
    wait_time = constant(0.1)

    def on_start(self):
        self.deliveries = self.session.deliveries
        self.deliveries.join("board", "room", self.seat)
        self.read = self.written = 0
        self.talks_from_s = time.monotonic() + 2

    @task
    def talk(self):
        if self.seat in (0, 1) and time.monotonic() > self.talks_from_s:
            self.written += 1
            key = (self.seat, self.written)
            self.deliveries.sent("board", "room", key, self.seat)
            with open(BOARD, "a") as board:
                board.write(f"{{key[0]}} {{key[1]}}\\n")
        lines = open(BOARD).read().split("\\n")[:-1]
        for line in lines[self.read:]:
            self.deliveries.received("board", "room", tuple(map(int, line.split())), self.seat)
        self.read = len(lines)
        self.client.get("/hello")
"""


def options(url: str) -> list[str]:
    """How the board is loaded."""
    return ["--target", url, "--users", str(USERS), "--duration", "4s", "--warmup", "1s", "--budgets", "answers"]


def check(run: dict[str, Any]) -> None:
    """Everybody but the sender is expected to get each message, and gets it."""
    (row,) = run["deliveries"]
    assert row["sent"] > 10
    assert (row["expected"], row["delivered"], row["lost"]) == ((USERS - 1) * row["sent"], row["expected"], 0)
    (board,) = (one for one in run["operations"] if one["kind"] == "delivery")
    assert 0 < board["latency_ms"]["p50"] < 2000


@pytest.mark.parametrize("workers", some([3, 1, 2], 2))
def test_any_number_of_workers_expects_the_same(workers: int, tmp_path: Path) -> None:
    (tmp_path / "board").touch()
    (tmp_path / "mine.py").write_text(SCENARIO.format(board=tmp_path / "board"))
    with small_server() as url:
        done = dbz("load", "mine.py", *options(url), "--workers", str(workers), "--no-live", cwd=tmp_path)
    check(newest_run(tmp_path))
    assert not list((tmp_path / "reports").rglob(".deliveries-*")), done.stderr


def test_workers_of_other_machines_tell_each_other_through_the_master(tmp_path: Path) -> None:
    (tmp_path / "board").touch()
    (tmp_path / "master").mkdir()
    (tmp_path / "master" / "mine.py").write_text(SCENARIO.format(board=tmp_path / "board"))
    with small_server() as url, ExitStack() as resources:
        hall = Hall(tmp_path, resources)
        master = hall.start("master", "mine.py", "--master", "--workers", "2", *options(url), "--json")
        for number in range(2):
            hall.start(f"worker{number}", "worker")
        out, err = master.communicate(timeout=90)
    assert master.returncode in (ExitCode.OK, ExitCode.INVALID), err  # a busy machine lags
    run = json.loads(out)
    check(run)
    assert any("clocks of the workers' machines agree within" in note for note in run["notes"])
