"""How much sooner a rebalance is done that moves several clubs at the same time, against one after the other.

Embedded stores, two to be emptied and two that are filled, on this machine and a network away; the same clubs by turns
serially and with `--parallel`, at the default rate and without one. Prints the ratio of the times.
"""

from __future__ import annotations

import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from network import Network

from dbz.children import Child, free_port, wait_until
from dbz.config.shards import Shards
from dbz.shards.control import Control
from dbz.shards.deployment import Deployment
from dbz.shards.journal import MoveJournal
from dbz.shards.lease import hold_lease
from dbz.shards.map import legacy_map
from dbz.shards.move.mover import MoveOptions
from dbz.shards.move.rebalance import Rebalance
from dbz.shards.move.schedule import Parallelism
from dbz.shards.plan.adoption import adopt
from dbz.shards.plan.document import PlannedMove
from dbz.stack.probes import store_answers

CLUBS = 8
DOCS = int(os.environ.get("BENCH_DOCS", "600"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "2"))
ROUND_TRIP_S = 0.001
TEXT = "x" * 400
SERIAL = Parallelism()
WAYS = {"2 at once, of different shards": Parallelism(2, 1), "4 at once, 2 a shard": Parallelism(4, 2)}


@contextmanager
def stores(folder: Path) -> Iterator[list[int]]:
    """The ports of four stores."""
    with ExitStack() as stack:
        ports = []
        for number in range(4):
            port = free_port()
            command = [sys.executable, "-m", "secantus", "--host", "127.0.0.1", "--port", str(port)]
            where = ["--storage-path", str(folder / str(number)), "--log-level", "WARNING"]
            child = Child(f"store {number}", [*command, *where], log=folder / f"{number}.log", grace_s=0.2)
            stack.callback(child.stop)
            wait_until(answers(port), child, deadline_s=30, what="a store")
            ports.append(port)
        yield ports


def answers(port: int) -> Callable[[], bool]:
    """Whether a store is there."""
    return lambda: store_answers("127.0.0.1", port)


def opened(ports: list[int]) -> Deployment:
    """A deployment of its own, with clubs on the first two shards."""
    names = [f"shard_{number}" for number in range(4)]
    variables = {name: name.upper() for name in names}
    file = Shards(
        schema="dbz.shards/1",
        database=f"b{secrets.token_hex(4)}",
        shard_count=2,
        shards=variables,
        collections={"posts": "club_id"},
    )
    uris = (f"mongodb://127.0.0.1:{port}/?directConnection=true" for port in ports)
    return Deployment(file, dict(zip(variables.values(), uris, strict=True)))


def clubs_of(deployment: Deployment) -> list[PlannedMove]:
    """Clubs that leave two shards for two others, by turns."""
    routes, wanted = legacy_map(["shard_0", "shard_1"]), {"shard_0": "shard_2", "shard_1": "shard_3"}
    named = (f"club{number:03d}" for number in range(1000))
    by_shard: dict[str, list[str]] = {name: [] for name in wanted}
    for club in named:
        by_shard[routes.shard_of(club)].append(club)
    moves = []
    for pair in zip(*by_shard.values(), strict=False):
        moves += [PlannedMove(club, routes.shard_of(club), wanted[routes.shard_of(club)], DOCS, 0) for club in pair]
    for move in moves[:CLUBS]:
        rows: list[dict[str, Any]] = [
            {"_id": f"{move.club}/{at}", "club_id": move.club, "t": TEXT} for at in range(DOCS)
        ]
        deployment.shard(move.source)["posts"].insert_many(rows)
    return moves[:CLUBS]


def seconds(ports: list[int], allowed: Parallelism, rate: float | None) -> float:
    """How long all of them take."""
    with opened(ports) as deployment:
        for shard in ("shard_0", "shard_1"):
            deployment.shard(shard)["posts"].create_index("club_id")
        moves = clubs_of(deployment)
        adopt(deployment)
        with Control(deployment) as control, hold_lease(control.database) as lease:
            journal = MoveJournal(control.database, lease)
            journal.add(moves)
            options = MoveOptions(rate_bytes_per_s=rate, parallel=allowed, max_fence_s=5.0)
            begin = time.perf_counter()
            outcome = Rebalance(deployment, control, journal, options).run()
            took_s = time.perf_counter() - begin
        assert len(outcome.done) == CLUBS, outcome.failed
        for shard in deployment.file.names:
            deployment.shard(shard).client.drop_database(deployment.file.database)
    return took_s


def measure(ports: list[int], title: str) -> None:
    """By turns, so that what else the machine does meets all of them."""
    for rate, words in ((20e6, "at the default rate"), (None, "as fast as the stores can")):
        ratios: dict[str, list[float]] = {name: [] for name in WAYS}
        serial = []
        for _ in range(ROUNDS):
            serial.append(seconds(ports, SERIAL, rate))
            for name, allowed in WAYS.items():
                ratios[name].append(seconds(ports, allowed, rate) / serial[-1])
        print(f"{title}, {words}: {statistics.median(serial):.1f} s one after the other", flush=True)
        for name, found in ratios.items():
            print(
                f"  {name}: {statistics.median(found):.2f} of that time ({min(found):.2f} to {max(found):.2f})",
                flush=True,
            )


def main() -> None:
    """Both places."""
    with tempfile.TemporaryDirectory() as folder, stores(Path(folder)) as ports:
        print(f"{CLUBS} clubs of {DOCS:,} documents of {len(TEXT)} bytes, two shards to two others")
        measure(ports, "on this machine")
        with ExitStack() as networks:
            far = [networks.enter_context(Network(port, ROUND_TRIP_S)).port for port in ports]
            measure(far, f"{ROUND_TRIP_S * 1000:.0f} ms away")


if __name__ == "__main__":
    main()
