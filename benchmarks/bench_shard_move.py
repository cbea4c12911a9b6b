"""How fast a club is copied between two stores, against the store's own insert_many and the loop that people write.

And for how long its writes are held when it is switched over, under 200 writes a second. With two `--uri`, of a source
and of a target, these stores are measured instead of embedded ones, in a database `dbz_bench` that must not be there
before, and is dropped after.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bson import encode
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from network import Network
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern
from redis.asyncio import Redis

from dbz.children import Child, free_port, wait_until
from dbz.config.shards import Shards
from dbz.shards.control import Control
from dbz.shards.deployment import Deployment
from dbz.shards.follow.follower import MapFollower
from dbz.shards.journal import Move, MoveJournal
from dbz.shards.lease import hold_lease
from dbz.shards.map import legacy_map
from dbz.shards.move.copy import Copier
from dbz.shards.move.mover import MoveOptions
from dbz.shards.move.pace import Pace, PaceOnShards
from dbz.shards.move.rebalance import Rebalance
from dbz.shards.plan.adoption import adopt
from dbz.shards.plan.document import PlannedMove
from dbz.stack.parts import cache
from dbz.stack.probes import store_answers

DOCS = int(os.environ.get("BENCH_DOCS", "20000"))
DATABASE = "dbz_bench"
LOOP_DOCS = 2000
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "2"))
ROUND_TRIP_S = 0.001
LOOP, OWN = "a loop of find and insert_one", "dbz, --rate unlimited"
RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
DURABLE = WriteConcern("majority", j=True)
TEXT = "x" * 400
CLUB = "club00"
WRITES_PER_S = 200
MOVES = 6
MOVED_DOCS = 2000


@contextmanager
def servers(folder: Path) -> Iterator[tuple[list[str], str]]:
    """Two stores and a Redis: their URIs."""
    children, uris = [], []
    for number in range(2):
        port = free_port()
        command = [sys.executable, "-m", "secantus", "--host", "127.0.0.1", "--port", str(port)]
        where = ["--storage-path", str(folder / str(number)), "--log-level", "WARNING"]
        child = Child(f"store {number}", [*command, *where], log=folder / f"{number}.log", grace_s=0.2)
        wait_until(lambda port=port: store_answers("127.0.0.1", port), child, deadline_s=30, what="a store")  # type: ignore[misc]
        children.append(child)
        uris.append(f"mongodb://127.0.0.1:{port}/?directConnection=true&retryWrites=false")
    part = cache()
    redis = Child(part.what, part.argv, log=folder / "redis.log", scratch=[part.scratch], grace_s=1.0)
    wait_until(lambda: part.ready(part.host, part.port), redis, deadline_s=30, what="Redis")
    try:
        yield uris, f"redis://127.0.0.1:{part.port}/0"
    finally:
        for child in (*children, redis):
            child.stop()


def documents(number: int, prefix: str = "") -> list[dict[str, Any]]:
    return [{"_id": f"{prefix}{at:07d}", "club_id": CLUB, "n": at, "text": TEXT} for at in range(number)]


def fill_source(uris: list[str]) -> None:
    """The club that is copied."""
    with MongoClient[Any](uris[0]) as client:
        client[DATABASE]["posts"].create_index("club_id")
        client[DATABASE]["posts"].insert_many(documents(DOCS))


def copy_rates(deployment: Deployment, uris: list[str]) -> None:
    """Documents a second of each way to fill the target, by turns: the best of each."""
    source, target = (MongoClient[Any](uri)[DATABASE] for uri in uris)
    raw = target.with_options(codec_options=RAW, write_concern=DURABLE)["posts"]
    encoded = [RawBSONDocument(encode(document)) for document in documents(DOCS)]
    ways = {
        "the loop, each write acknowledged as dbz's": lambda: loop(
            source, target["posts"].with_options(write_concern=DURABLE)
        ),
        **{
            f"  as bytes, {size:,} at a time, {many} side by side": lambda size=size, many=many: insert(
                raw, encoded, size, many
            )
            for size, many in ((250, 1), (1000, 1), (5000, 1), (1000, 2), (1000, 4))
        },
    }
    compare(deployment, source, target, ways, f"copying {DOCS:,} documents of {len(TEXT)} bytes")


def far_rates(environment: dict[str, str], uris: list[str]) -> None:
    """The same when the stores are not on this machine."""
    with ExitStack() as networks:
        far = []
        for uri in uris:
            (host, port), *_ = parse_uri(uri)["nodelist"]
            network = networks.enter_context(Network(port, ROUND_TRIP_S))
            far.append(uri.replace(f"{host}:{port}", f"127.0.0.1:{network.port}"))
        deployment = networks.enter_context(Deployment(shards_file(), environment | variables(far)))
        source, target = (networks.enter_context(MongoClient[Any](uri))[DATABASE] for uri in far)
        source.command("ping")
        begin = time.perf_counter()
        for _ in range(100):
            source.command("ping")
        away_ms = (time.perf_counter() - begin) * 10
        compare(deployment, source, target, {}, f"\nthe same, each store {away_ms:.1f} ms away")


def compare(deployment: Deployment, source: Any, target: Any, more: dict[str, Callable[[], int]], title: str) -> None:
    """The loop, insert_many, `more` and dbz."""
    batch = documents(DOCS)
    copier = Copier(deployment, CLUB, "shard_0", "shard_1", PaceOnShards(Pace(None), ()))
    ways: dict[str, Callable[[], int]] = {
        LOOP: lambda: loop(source, target["posts"]),
        "insert_many, 1,000 at a time": lambda: insert(target["posts"], batch, 1000, 1),
        **more,
        OWN: lambda: copied(copier),
    }
    rates = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for name, fill in ways.items():
            target["posts"].drop()
            target["posts"].create_index("club_id")
            begin = time.perf_counter()
            number = fill()
            rates[name] = max(rates[name], number / (time.perf_counter() - begin))
            assert target["posts"].count_documents({}) == number
    target["posts"].drop()
    own, slow = rates[OWN], rates[LOOP]
    print(f"{title:44}documents/s  dbz / it   it / loop")
    for name, rate in rates.items():
        print(f"  {name:42}{rate:11,.0f}{own / rate:10.2f}{rate / slow:12.1f}")
    ceiling = max(rate for name, rate in rates.items() if name != OWN)
    print(f"  the store takes at most {ceiling / slow:.1f} times what the loop brings; dbz {own / ceiling:.2f} of that")


def loop(source: Any, target: Any) -> int:
    """What a script does."""
    for document in source["posts"].find({"club_id": CLUB}).limit(LOOP_DOCS):
        target.insert_one(document)
    return LOOP_DOCS


def insert(target: Any, rows: list[Any], at_once: int, side_by_side: int) -> int:
    """All rows, by one connection or several."""
    with ThreadPoolExecutor(side_by_side) as pool:
        list(pool.map(lambda at: target.insert_many(rows[at : at + at_once], ordered=False), range(0, DOCS, at_once)))
    return DOCS


def copied(copier: Copier) -> int:
    """What a move does."""
    copier.copy("posts", lambda _docs, _bytes: None)
    return DOCS


class Writer:
    """Writes the club at a steady rate through the map, and keeps the longest time that a write took."""

    def __init__(self, uris: list[str], redis_url: str) -> None:
        self.uris, self.redis_url = uris, redis_url
        self.longest_s, self.writes, self.refused = 0.0, 0, 0
        self.ready, self.ending = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        clients = {f"shard_{at}": AsyncMongoClient[Any](uri) for at, uri in enumerate(self.uris)}
        redis = Redis.from_url(self.redis_url) if self.redis_url else None
        follower = MapFollower(clients["shard_0"][f"{DATABASE}_control"], legacy_map(clients), "writer", redis)
        follower.start()
        while follower.gate.renewed_at < 0:
            await asyncio.sleep(0.01)
        self.ready.set()
        running: set[asyncio.Task[None]] = set()
        following = time.perf_counter()
        while not self.ending.is_set():
            task = asyncio.create_task(self._write(follower, clients))
            running.add(task)
            task.add_done_callback(running.discard)
            following += 1 / WRITES_PER_S
            await asyncio.sleep(max(0.0, following - time.perf_counter()))
        await asyncio.gather(*running)
        await follower.stop()

    async def _write(self, follower: MapFollower, clients: dict[str, Any]) -> None:
        begin = time.perf_counter()
        self.writes += 1
        try:
            async with follower.gate.writing(CLUB) as shard:
                await clients[shard][DATABASE]["posts"].insert_one({"club_id": CLUB, "text": TEXT})
        except TimeoutError:
            self.refused += 1
        self.longest_s = max(self.longest_s, time.perf_counter() - begin)


def blocks(deployment: Deployment, uris: list[str], redis_url: str) -> None:
    """How long writes are held when the club moves to and fro."""
    posts = MongoClient[Any](uris[0])[DATABASE]["posts"]
    posts.delete_many({"n": {"$gte": MOVED_DOCS}})
    adopt(deployment)
    writer = Writer(uris, redis_url)
    writer.thread.start()
    writer.ready.wait(10)
    moved: list[Move] = []
    for number in range(MOVES):
        source, target = (f"shard_{(number + at) % 2}" for at in (0, 1))
        with Control(deployment) as control, hold_lease(control.database) as lease:
            journal = MoveJournal(control.database, lease)
            journal.add([PlannedMove(CLUB, source, target, 0, 0)])
            moved += Rebalance(deployment, control, journal, MoveOptions(rate_bytes_per_s=None)).run().done
    writer.ending.set()
    writer.thread.join()
    held = sorted(move.block_ms or 0 for move in moved)
    print(f"\n{MOVES} moves of a club with {MOVED_DOCS:,} documents under {WRITES_PER_S} writes/s of its own")
    print(f"  writes held: {held[len(held) // 2]:.0f} ms (median), {held[-1]:.0f} ms at most")
    print(f"  the slowest of {writer.writes:,} writes: {writer.longest_s * 1000:.0f} ms; refused: {writer.refused}")


def shards_file() -> Shards:
    names = {f"shard_{at}": f"BENCH_SHARD_{at}" for at in range(2)}
    collections = {"posts": "club_id"}
    return Shards(schema="dbz.shards/1", database=DATABASE, shards=names, redis="BENCH_REDIS", collections=collections)


def variables(uris: list[str]) -> dict[str, str]:
    return {f"BENCH_SHARD_{at}": uri for at, uri in enumerate(uris)}


@contextmanager
def given(uris: list[str]) -> Iterator[tuple[list[str], str]]:
    """Two stores that run already, without a Redis: servers notice new maps by polling."""
    mine = (DATABASE, f"{DATABASE}_control")
    with MongoClient[Any](uris[0]) as source, MongoClient[Any](uris[1]) as target:
        for client in (source, target):
            if found := sorted({*mine} & {*client.list_database_names()}):
                sys.exit(f"the store has a database '{found[0]}' already; drop it if it is of an earlier run")
        try:
            yield uris, ""
        finally:
            for client in (source, target):
                for name in mine:
                    client.drop_database(name)


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uri", action="append", default=[], help="a store that runs already; give two")
    chosen = parser.parse_args().uri
    if len(chosen) not in (0, 2):
        parser.error("give no --uri, or two: the source's and the target's")
    folder = Path(tempfile.mkdtemp(prefix="dbz-bench-"))
    try:
        with given(chosen) if chosen else servers(folder) as (uris, redis_url):
            environment = {**variables(uris), "BENCH_REDIS": redis_url}
            fill_source(uris)
            with Deployment(shards_file(), environment) as deployment:
                copy_rates(deployment, uris)
                far_rates(environment, uris)
                try:
                    blocks(deployment, uris, redis_url)
                except OperationFailure as error:
                    print(f"\nclubs cannot be moved online between these stores: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
