"""What the app's users notice of a rebalance: the API's p95 before, and while clubs move at the default rate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from dbz.config.shards import load_shards
from dbz.shards.control import Control
from dbz.shards.deployment import Deployment
from dbz.shards.journal import Journal
from dbz.shards.lease import hold_lease
from dbz.shards.mover import Options
from dbz.shards.plan import PlannedMove
from dbz.shards.rebalance import Rebalance

SECONDS = int(os.environ.get("BENCH_SECONDS", "20"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "2"))
MESSAGES = 5000
DBZ = [sys.executable, "-m", "dbz.cli.main"]


def p95_ms(url: str, folder: Path) -> tuple[float, int]:
    """The p95 of all API requests of a load, and how many failed."""
    options = ["--target", url, "--duration", f"{SECONDS}s", "--json"]
    done = subprocess.run([*DBZ, "load", "api", *options], cwd=folder, capture_output=True, text=True)
    run = json.loads(done.stdout)
    (budget,) = [one for one in run["budgets"] if one["name"] == "api_response_time"]
    return budget["value"], sum(one["errors"] for one in run["operations"])


def keep_moving(environment: dict[str, str], ended: threading.Event, moved: list[Any]) -> None:
    """Move every club to the shard that stands by, and back, until told to end."""
    with Deployment(load_shards("default", environment), environment) as deployment:
        while not ended.is_set():
            with Control(deployment) as control, hold_lease(control.database) as lease:
                journal = Journal(control.database, lease)
                for club in (f"club{number:02d}" for number in range(6)):
                    here = control.map().shard_of(club)
                    there = "shard_2" if here != "shard_2" else "shard_0"
                    journal.add([PlannedMove(club, here, there, 0, 0)])
                moved += Rebalance(deployment, control, journal, Options(stop=ended.is_set)).run().done


def fill(environment: dict[str, str]) -> None:
    """More messages than demo clubs have, so that there is something to copy."""
    for number in range(2):
        shard = MongoClient[Any](environment[f"MONGODB_SHARD_{number}_URI"])["dbz"]
        for room in list(shard["chat_rooms"].find()):
            rows = [
                {
                    "_id": f"{room['club_id']}-{at:06d}",
                    "club_id": room["club_id"],
                    "room_id": "old",
                    "content": "x" * 300,
                }
                for at in range(MESSAGES)
            ]
            shard["messages"].insert_many(rows)
        shard["messages"].create_index("club_id")


def main() -> None:
    """Measure by turns, and print the ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {**os.environ, "DBZ_STATE_DIR": str(folder / "state")}
        command = [*DBZ, "serve", "--port", "0", "--shards", "2", "--clubs", "6", "--json"]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as serve:
            assert serve.stdout is not None
            text = ""
            while not text.endswith("\n}\n"):
                text += serve.stdout.readline()
            document = json.loads(text)
            fill(document["shards"])
            before, during, failed, moved = [], [], 0, list[Any]()
            for _ in range(ROUNDS):
                before.append(p95_ms(document["url"], folder)[0])
                ended = threading.Event()
                mover = threading.Thread(target=keep_moving, args=(document["shards"], ended, moved))
                mover.start()
                p95, errors = p95_ms(document["url"], folder)
                during.append(p95)
                failed += errors
                ended.set()
                mover.join()
            serve.terminate()
    print("p95 of all API requests, ms         " + "".join(f"{f'round {at + 1}':>10}" for at in range(ROUNDS)))
    print(f"  {'before':34}" + "".join(f"{value:10.2f}" for value in before))
    print(f"  {f'while {len(moved)} clubs moved':34}" + "".join(f"{value:10.2f}" for value in during))
    ratios = [after / value for value, after in zip(before, during, strict=True)]
    print(f"  {'while moving / before':34}" + "".join(f"{ratio:10.2f}" for ratio in ratios))
    held = max((move.block_ms or 0 for move in moved), default=0)
    print(f"  requests failed: {failed}; writes of a club held {held:.0f} ms at most")


if __name__ == "__main__":
    main()
