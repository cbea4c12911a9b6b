"""`dbz events`: counting again beside a running server, and definitions for Step Functions."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from dbz.server.sagas.catalogue import CATALOGUE
from tests.children.processes import eventually
from tests.cli.running import dbz, run_dbz
from tests.cli.serving import Served


def rebuild(served: Served, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = run_dbz(["events", "rebuild", *arguments], served.folder, served.env)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stdout + done.stderr
    return done


class Host:
    """A member who plans games and posts their results."""

    def __init__(self, served: Served, user: str) -> None:
        self.http = httpx.Client(base_url=served.url, timeout=20)
        tokens = self.http.post("/api/auth/login", json={"username": user, "password": "demo"}).json()
        self.http.headers["authorization"] = f"Bearer {tokens['access_token']}"

    def close(self) -> None:
        self.http.close()

    def play(self, home: int) -> None:
        body = {"title": "Counted", "game_date": "2027-01-01T10:00:00Z"}
        game = self.http.post("/api/games", json=body).json()["id"]
        done = self.http.post(f"/api/games/{game}/result", json={"score": {"home": home, "away": 11}})
        assert done.status_code == 200, done.text


def test_rows_that_differ_are_named_and_counted_again_while_results_come(served: Served) -> None:
    with closing(Host(served, "user0150")) as host:
        counted_again(served, host)


def counted_again(served: Served, host: Host) -> None:
    row = "club00:user0150"
    for home in (21, 21, 5):
        host.play(home)
    with MongoClient[dict[str, Any]](served.mongo_uri) as client:
        database = client["dbz"]
        active = (database["projections"].find_one({"_id": "results"}) or {"active": "a"})["active"]
        before = database[f"player_statistics_{active}"]
        assert eventually(lambda: (before.find_one({"_id": row}) or {"played": 0})["played"] == 3)
        assert "Everything is counted as the log has it" in rebuild(served, "--check").stdout
        before.update_one({"_id": row}, {"$inc": {"won": 7}})
        said = rebuild(served, "--check", code=1).stdout
        assert f"player_statistics_{active} {row}: won is 9, should be 2" in said
        found = json.loads(rebuild(served, "--check", "--json", code=1).stdout)
        assert found["schema"] == "dbz.events-rebuild/1" and [each["row"] for each in found["differences"]] == [row]
        stopped, played = threading.Event(), 3

        def play_on() -> None:
            nonlocal played
            while not stopped.wait(0.05):
                host.play(21)
                played += 1

        player = threading.Thread(target=play_on)
        player.start()
        try:
            done = json.loads(rebuild(served, "--yes", "--json").stdout)
        finally:
            stopped.set()
            player.join()
        assert done["switched"] and not done["differences"] and f"player_statistics_{active}" not in done["collections"]
        rebuild(served, "--check")
        assert before.count_documents({}) == 0
    counted = host.http.get("/api/clubs/club00/members/user0150/statistics").json()
    assert counted["played"] == played > 10 and counted["won"] == played - 1


def test_nothing_is_rebuilt_without_consent(served: Served) -> None:
    assert "add --yes" in rebuild(served, code=2).stderr


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_a_saga_is_printed_as_a_state_machine(name: str, tmp_path: Path) -> None:
    machine = json.loads(dbz("events", "asl", name, "--queue-url", "https://sqs/jobs", cwd=tmp_path).stdout)
    states = machine["States"]
    for state in states.values():
        assert all(retry["MaxDelaySeconds"] > retry["IntervalSeconds"] for retry in state.get("Retry", ()))
        ways = [*state.get("Catch", ()), *state.get("Choices", ())]
        following = [state.get("Next"), state.get("Default"), *(way["Next"] for way in ways)]
        assert all(each in states for each in following if each)
        assert state["Type"] != "Task" or state["Parameters"]["QueueUrl"] == "https://sqs/jobs"
    assert {*CATALOGUE[name].actions} == {each for each, state in states.items() if state["Type"] == "Task"}
    unknown = dbz("events", "asl", f"{name}s", cwd=tmp_path)
    assert unknown.returncode == 2 and f"did you mean '{name}'" in unknown.stderr
