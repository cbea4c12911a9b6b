"""What the app's users notice of a rebalance: the API's p95 before, and while clubs move at the default rate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pymongo import MongoClient

from dbz.config.shards import load_shards
from dbz.measure.confidence import CONFIDENCE, rank_interval
from dbz.shards.control import Control
from dbz.shards.deployment import Deployment
from dbz.shards.journal import MoveJournal
from dbz.shards.lease import hold_lease
from dbz.shards.map import ShardMap
from dbz.shards.move.mover import MoveOptions
from dbz.shards.move.progress import Ended, MoveTracker
from dbz.shards.move.rebalance import Rebalance
from dbz.shards.plan.document import PlannedMove
from dbz.units import format_bytes

SECONDS = int(os.environ.get("BENCH_SECONDS", "11"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "6"))
MESSAGES = 10_000
CLUBS = 6
DBZ = [sys.executable, "-m", "dbz.cli.main"]


@dataclass(frozen=True)
class Loaded:
    """What a load has seen: the p95 of all API requests in milliseconds, how many they were, and how many failed."""

    p95_ms: float
    requests: int
    failed: int


def load(url: str, folder: Path) -> Loaded:
    """Load the API."""
    options = ["--target", url, "--duration", f"{SECONDS}s", "--warmup", "3s", "--json"]
    done = subprocess.run([*DBZ, "load", "api", *options], cwd=folder, capture_output=True, text=True)
    run = json.loads(done.stdout)
    (budget,) = [one for one in run["budgets"] if one["name"] == "api_response_time"]
    operations = run["operations"]
    failed, requests = (sum(one[name] for one in operations) for name in ("errors", "count"))
    return Loaded(budget["value"], requests, failed)


class Mover:
    """Moves every club to the shard that stands by, and back, at the default rate, until told to end."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.moved: list[Ended] = []
        self.slowed_s = 0.0
        self.seconds = 0.0
        self._environment = environment
        self._ended = threading.Event()

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Move within this block."""
        self._ended.clear()
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _run(self) -> None:
        with Deployment(load_shards("default", self._environment), self._environment) as deployment:
            while not self._ended.is_set():
                with Control(deployment) as control, hold_lease(control.database) as lease:
                    journal, tracker = MoveJournal(control.database, lease), MoveTracker()
                    work = Rebalance(
                        deployment, control, journal, MoveOptions(stop=self._ended.is_set, tracker=tracker)
                    )
                    if not work.unfinished():
                        journal.add([_there(control.map(), f"club{number:02d}") for number in range(CLUBS)])
                    work.run()
                now = tracker.standing()
                self.moved += now.ended
                self.slowed_s += now.slowed_s
                self.seconds += now.elapsed_s


def _there(shard_map: ShardMap, club: str) -> PlannedMove:
    here = shard_map.shard_of(club)
    return PlannedMove(club, here, "shard_2" if here != "shard_2" else "shard_0", 0, 0)


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
        command = [*DBZ, "serve", "--port", "0", "--shards", "2", "--clubs", str(CLUBS), "--json"]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as serve:
            assert serve.stdout is not None
            text = ""
            while not text.endswith("\n}\n"):
                text += serve.stdout.readline()
            document = json.loads(text)
            fill(document["shards"])
            mover = Mover(document["shards"])
            load(document["url"], folder)  # the first one finds a cold cache
            before, during = [], []
            for _ in range(ROUNDS):
                before.append(load(document["url"], folder))
                with mover.moving():
                    during.append(load(document["url"], folder))
            serve.terminate()
    report(before, during, mover)


def report(before: list[Loaded], during: list[Loaded], mover: Mover) -> None:
    """Print the rounds, the median of their ratios and its interval."""
    ratios = [after.p95_ms / first.p95_ms for first, after in zip(before, during, strict=True)]
    print("p95 of all API requests, ms         " + "".join(f"{f'round {at + 1}':>10}" for at in range(ROUNDS)))
    print(f"  {'before':34}" + "".join(f"{one.p95_ms:10.2f}" for one in before))
    print(f"  {'while clubs move':34}" + "".join(f"{one.p95_ms:10.2f}" for one in during))
    print(f"  {'while moving / before':34}" + "".join(f"{ratio:10.2f}" for ratio in ratios))
    low, high = rank_interval(len(ratios), 50, CONFIDENCE)
    inside = low >= 1 and high <= len(ratios)
    between = f"95 % interval {sorted(ratios)[low - 1]:.2f} to {sorted(ratios)[high - 1]:.2f}" if inside else "too few"
    print(f"  median {median(ratios):.2f}, {between}; {sum(one.requests for one in during):,} requests while moving")
    held = max((one.move.block_ms or 0 for one in mover.moved), default=0)
    copied = sum(one.copied_bytes for one in mover.moved)
    print(
        f"  {len(mover.moved)} moves in {mover.seconds:.0f} s, {format_bytes(copied)} copied, "
        f"which gave way for {mover.slowed_s:.0f} s; writes of a club held {held:.0f} ms at most"
    )
    failed, failed_before = (sum(one.failed for one in loads) for loads in (during, before))
    print(f"  requests failed: {failed} while moving, {failed_before} before")


if __name__ == "__main__":
    main()
