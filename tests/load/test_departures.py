"""When a load gets smaller, those users go who came last."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import dbz, small_server

SCENARIO = """\
import json, time
from dbz.users import HttpUser, constant, task
from locust import User

def note(kind, number):
    with open({notes!r}, "a") as notes:
        notes.write(json.dumps([kind, number, time.monotonic()]) + "\\n")

class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def hello(self):
        self.client.get("/hello")

    def on_stop(self):
        note("visitor", self.slot)
        super().on_stop()

class Plain(User):
    wait_time = constant(0.1)
    came = 0

    def on_start(self):
        Plain.came += 1
        self.number = Plain.came - 1

    @task
    def idle(self):
        pass

    def on_stop(self):
        note("plain", self.number)
"""
PROFILE = """\
schema: dbz.profile/1
name: shrinking
about: from 40 users to 10
scenario: shrinking.py
users: 40
warmup: 2s
duration: 4s
budgets: none
stages: [{to: 40, over: 1s}, {to: 10, over: 1s}, {to: 10, over: 2s}]
"""


def test_those_who_came_last_go_first(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    (tmp_path / "shrinking.py").write_text(SCENARIO.replace("{notes!r}", repr(str(notes))))
    (tmp_path / "shrinking.yaml").write_text(PROFILE)
    with small_server() as url:
        done = dbz("load", "shrinking.yaml", "--target", url, "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    left = sorted((json.loads(line) for line in notes.read_text().splitlines()), key=lambda note: note[2])
    assert len(left) == 40
    for kind in ("visitor", "plain"):
        assert {number for each, number, _ in left[:30] if each == kind} == set(range(5, 20))
