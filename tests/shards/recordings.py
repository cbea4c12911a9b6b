"""Moves of real stores, as the tracker was told: `python -m tests.shards.recordings` makes `recorded_moves.json`.

Collections of different document sizes and index counts, while an app writes; replayed they need no store and no time.
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pymongo import ReplaceOne

from dbz.children import free_port
from dbz.shards.deployment import Deployment
from dbz.shards.journal import Move, State
from dbz.shards.map import legacy_map
from dbz.shards.move.progress import MovePhase, MoveTracker
from dbz.shards.plan.adoption import adopt
from dbz.shards.plan.cost import Load, Mix
from dbz.shards.plan.document import PlannedMove, Request
from dbz.shards.plan.estimate import expected_costs, mixes_of
from dbz.shards.plan.from_stores import plan_now
from tests.server.backend import mongo_uri, start_mongo
from tests.shards.moves import working
from tests.shards.stores import World, make_world
from tests.shards.writers import writing

FILE = Path(__file__).with_name("recorded_moves.json")
CLUBS = {"club00": 150, "club01": 300, "club02": 450, "club03": 200}


@dataclass(frozen=True)
class Kind:
    """Bytes of a document, documents beside one of the club's size, and indexes, of each collection; and the rate."""

    posts: tuple[int, float, int]
    messages: tuple[int, float, int]
    rate_bytes_per_s: float | None


KINDS = {
    "small documents without indexes, as fast as can be": Kind((150, 1, 0), (150, 1, 0), None),
    "large documents, then many small ones with indexes": Kind((8_000, 0.3, 1), (150, 2, 5), 20e6),
    "small documents with indexes, then large ones": Kind((150, 1, 6), (20_000, 0.3, 0), 20e6),
    "below a low rate": Kind((4_000, 0.5, 1), (300, 0.5, 1), 400e3),
}


class Recorder(MoveTracker):
    """A tracker that keeps what it was told, with the seconds since the first."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[list[Any]] = []
        self._first = time.monotonic()

    def _keep(self, *event: Any) -> None:
        self.events.append([round(time.monotonic() - self._first, 4), *event])

    def enter(self, move: Move, phase: MovePhase) -> None:
        self._keep("enter", move.id, str(phase))
        super().enter(move, phase)

    def moved(self, move: Move, collection: str, docs: int, size_bytes: int) -> None:
        self._keep("moved", move.id, collection, docs, size_bytes)
        super().moved(move, collection, docs, size_bytes)

    def ended(self, move: Move) -> None:
        self._keep("ended", move.id)
        super().ended(move)


@dataclass
class Recording:
    """What a plan knew, and what then happened."""

    kind: str
    rate_bytes_per_s: float | None
    planned: list[PlannedMove]
    unit_s: float
    mixes: dict[str, Mix]
    slowed_s: float
    """For how long copying gave way, because a shard answered late; what no plan can know."""
    events: list[list[Any]]

    def moves(self) -> list[Move]:
        """The moves as the journal had them."""
        ids = dict.fromkeys(event[2] for event in self.events)
        rows = zip(ids, self.planned, strict=True)
        return [Move(name, one.club, one.source, one.target, one.docs, one.bytes) for name, one in rows]

    def replay(self, tracker: MoveTracker, moves: Mapping[str, Move], event: list[Any]) -> None:
        """Tell a tracker what happened."""
        _, what, name, *more = event
        if what == "enter":
            tracker.enter(moves[name], MovePhase(more[0]))
        elif what == "moved":
            tracker.moved(moves[name], *more)
        else:
            tracker.ended(Move(**{**asdict(moves[name]), "state": State.REVERSING}))


def load() -> list[Recording]:
    """What was recorded."""
    found = []
    for row in json.loads(FILE.read_text()):
        row["planned"] = [PlannedMove(**one) for one in row["planned"]]
        row["mixes"] = {shard: {name: Load(**one) for name, one in mix.items()} for shard, mix in row["mixes"].items()}
        found.append(Recording(**row))
    return found


def _documents(club: str, number: int, size: int) -> list[dict[str, Any]]:
    fields = {f"f{at}": at for at in range(1, 6)}
    return [{"_id": f"{club}/{at:06d}", "club_id": club, **fields, "text": "x" * size} for at in range(number)]


def record(world: World, name: str, kind: Kind) -> Recording:
    """Fill the stores, plan, and move everything to the third shard."""
    deployment, places = world.deployment, legacy_map(["shard_0", "shard_1"])
    for collection, (size, times, indexes) in (("posts", kind.posts), ("messages", kind.messages)):
        for shard in ("shard_0", "shard_1"):
            made = deployment.shard(shard)[collection]
            for field in ["club_id", *(f"f{at}" for at in range(1, indexes))][: max(1, indexes)]:
                made.create_index(field)
        for club, number in CLUBS.items():
            rows = [
                ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in _documents(club, int(number * times), size)
            ]
            deployment.shard(places.shard_of(club))[collection].bulk_write(rows, ordered=False)
    adopt(deployment)
    everything = Request(add=("shard_2",), pin=dict.fromkeys(CLUBS, "shard_2"))
    tracker = Recorder()
    options: dict[str, Any] = {"tracker": tracker, "rate_bytes_per_s": kind.rate_bytes_per_s, "max_fence_s": 10.0}
    with writing(world, list(CLUBS), pause_s=0.2):  # else clubs double while they are moved
        plan = plan_now(deployment, everything, kind.rate_bytes_per_s)
        costs = expected_costs(deployment, max(plan.moves, key=lambda move: move.bytes))
        assert costs is not None and not costs.measured
        mixes = mixes_of(deployment, [move.source for move in plan.moves])
        with working(world, **options) as (work, _, journal):
            journal.add(plan.moves)
            tracker._first = time.monotonic()
            outcome = work.run()
    assert len(outcome.done) == len(plan.moves)
    took_s, slowed_s = tracker.events[-1][0], tracker.standing().slowed_s
    sys.stderr.write(f"{name}: planned {plan.estimated_s:.1f} s, took {took_s:.1f} s, slowed {slowed_s:.1f} s\n")
    return Recording(name, kind.rate_bytes_per_s, list(plan.moves), costs.unit_s, mixes, slowed_s, tracker.events)


def main() -> None:
    """Record all kinds."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ports = [free_port() for _ in range(3)]
        for number, port in enumerate(ports):
            (Path(folder) / str(number)).mkdir()
            stack.enter_context(start_mongo(Path(folder) / str(number), port))
        found = []
        for name, kind in KINDS.items():
            world = make_world(Path(folder), [mongo_uri(port) for port in ports], f"t{secrets.token_hex(4)}")
            world.deployment = Deployment(world.deployment.file, world.environment, timeout_s=30.0)
            with world.deployment:
                found.append(record(world, name, kind))
            lines = (json.dumps(asdict(one), separators=(",", ":")) for one in found)
            FILE.write_text("[" + ",\n".join(lines) + "]\n")


if __name__ == "__main__":
    main()
