"""Clients that write through the map as a server does, and a ledger of what they were told is stored."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from redis.asyncio import Redis

from dbz.shards.errors import ClubFencedError
from dbz.shards.follow.follower import MapFollower
from dbz.shards.map import ShardMap, legacy_map
from tests.shards.stores import World

_MOST_MINE = 200
"""Documents of a club: else a long run, or a slow machine, has ever larger clubs to move, and ever slower moves."""
NODE = Path(__file__).parents[2] / "clients" / "node"


@dataclass
class Ledger:
    """Kept outside every store: the last acknowledged value of each document, and values that may or may not be there.

    None stands for a removed document.
    """

    acknowledged: dict[str, int | None] = field(default_factory=dict)
    writes: int = 0
    uncertain: dict[str, set[int | None]] = field(default_factory=dict)
    club_of: dict[str, str] = field(default_factory=dict)
    refused: int = 0
    failed: int = 0
    longest_s: float = 0.0

    def check(self, world: World, shard_map: ShardMap) -> list[str]:
        """What the stores lack, or have differently, where the map leads."""
        wrong = []
        by_club: dict[str, dict[str, Any]] = {}
        for document_id, club in self.club_of.items():
            if club not in by_club:
                rows = world.deployment.shard(shard_map.shard_of(club))["posts"].find({"club_id": club})
                by_club[club] = {row["_id"]: row for row in rows}
            row = by_club[club].get(document_id)
            found = row["v"] if row else None
            allowed = {self.acknowledged.get(document_id), *self.uncertain.get(document_id, ())}
            if found not in allowed:
                wrong.append(f"{document_id}: {found}, not {allowed}")
        return wrong


class Writers:
    """One task a club that inserts, changes and removes documents of its own, in turn, as fast as `pause_s` lets it."""

    def __init__(self, world: World, clubs: Sequence[str], pause_s: float, name: str, shards: int) -> None:
        self.ledger = Ledger()
        self.ready = threading.Event()
        self._world = world
        self._clubs = clubs
        self._pause_s = pause_s
        self._name = name
        self._shards = shards
        self._ending = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def end(self) -> None:
        """Stop writing, and wait for the last answers."""
        self._ending.set()
        self.thread.join()

    async def _run(self) -> None:
        environment = self._world.environment
        uris = {f"shard_{n}": environment[f"TEST_SHARD_{n}"] for n in range(3)}
        options: dict[str, Any] = {"serverSelectionTimeoutMS": 2000, "socketTimeoutMS": 2000, "connectTimeoutMS": 2000}
        clients = {shard: AsyncMongoClient[Any](uri, **options) for shard, uri in uris.items()}
        redis = Redis.from_url(environment["TEST_REDIS"]) if "TEST_REDIS" in environment else None
        control = clients["shard_0"][f"{self._world.database}_control"]
        unadopted = legacy_map([f"shard_{number}" for number in range(self._shards)])
        follower = MapFollower(control, unadopted, self._name, redis, poll_s=0.05)
        follower.start()
        try:
            while follower.gate.renewed_at < 0:
                await asyncio.sleep(0.01)
            self.ready.set()
            await asyncio.gather(*(self._write(club, follower, clients) for club in self._clubs))
        finally:
            await follower.stop()
            for client in clients.values():
                await client.close()
            if redis is not None:
                await redis.aclose()

    async def _write(self, club: str, follower: MapFollower, clients: dict[str, Any]) -> None:
        rng = random.Random(club)
        number, mine = 0, list[str]()
        while not self._ending.is_set():
            number += 1
            if len(mine) < 20 or (len(mine) < _MOST_MINE and rng.random() < 0.3):
                mine.append(f"{club}/{self._name}/{number}")
                await self._try(club, follower, clients, mine[-1], number, insert=True)
            elif rng.random() < 0.8:
                await self._try(club, follower, clients, rng.choice(mine), number, insert=False)
            else:
                await self._try(club, follower, clients, mine.pop(0), None, insert=False)
            await asyncio.sleep(self._pause_s)

    async def _try(
        self, club: str, follower: MapFollower, clients: dict[str, Any], key: str, value: int | None, *, insert: bool
    ) -> None:
        ledger = self.ledger
        loop = asyncio.get_running_loop()
        begin = loop.time()
        started = False
        try:
            async with follower.gate.writing(club) as shard:
                started = True
                posts = clients[shard][self._world.database]["posts"]
                if insert:
                    ledger.club_of[key] = club
                    await posts.insert_one({"_id": key, "club_id": club, "v": value, "text": "x" * 200})
                elif value is None:
                    await posts.delete_one({"_id": key})
                else:
                    done = await posts.update_one({"_id": key}, {"$set": {"v": value}})
                    if not done.matched_count:
                        return
        except ClubFencedError:
            ledger.refused += 1
        except (PyMongoError, OSError, TimeoutError):
            ledger.failed += 1
            if started:
                before = {ledger.acknowledged.get(key), *ledger.uncertain.get(key, ())}
                ledger.uncertain[key] = {*before, value}
        else:
            ledger.acknowledged[key] = value
            ledger.writes += 1
            ledger.uncertain.pop(key, None)
        finally:
            ledger.longest_s = max(ledger.longest_s, loop.time() - begin)


@contextmanager
def writing(
    world: World, clubs: Sequence[str], pause_s: float = 0.01, name: str = "writers", shards: int = 2
) -> Iterator[Ledger]:
    """Write within this block; the ledger is complete after it."""
    writers = Writers(world, clubs, pause_s, name, shards)
    writers.thread.start()
    try:
        assert writers.ready.wait(30), "the writers have no map"
        yield writers.ledger
    finally:
        writers.end()


class NodeWriters:
    """The same clients as a program of Node.js, which follows the map by clients/node.

    It says what it begins and what it was told, a line each; the ledger is kept here. When it is killed, what it had
    begun is uncertain.
    """

    def __init__(self, world: World, clubs: Sequence[str], pause_s: float, shards: int) -> None:
        uris = {f"shard_{n}": world.environment[f"TEST_SHARD_{n}"] for n in range(3)}
        options = {
            "uris": uris,
            "control": "shard_0",
            "database": world.database,
            "clubs": list(clubs),
            "shards": [f"shard_{number}" for number in range(shards)],
            "pauseMs": pause_s * 1000,
            "mostMine": _MOST_MINE,
        }
        self.ledger = Ledger()
        self.ready = threading.Event()
        self._process = subprocess.Popen(
            ["node", str(NODE / "test" / "writer.js"), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def end(self) -> None:
        """Stop writing, and wait for the last answers."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            assert self._process.wait(60) == 0, "the Node follower ended with an error"
        finally:
            self._process.kill()
            self._thread.join()
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "ready" in told:
                self.ready.set()
            elif "begins" in told:
                self.ledger.club_of[told["begins"]] = told["club"]
            else:
                self._take(told)

    def _take(self, told: dict[str, Any]) -> None:
        ledger, key, value = self.ledger, told["key"], told["value"]
        ledger.longest_s = max(ledger.longest_s, told["ms"] / 1000)
        if told["outcome"] == "ack":
            ledger.acknowledged[key] = value
            ledger.writes += 1
            ledger.uncertain.pop(key, None)
        elif told["outcome"] == "refused":
            ledger.refused += 1
        elif told["outcome"] == "failed":
            ledger.failed += 1
            if told["started"]:
                before = {ledger.acknowledged.get(key), *ledger.uncertain.get(key, ())}
                ledger.uncertain[key] = {*before, value}


@contextmanager
def node_writing(world: World, clubs: Sequence[str], pause_s: float = 0.01, *, shards: int = 2) -> Iterator[Ledger]:
    """Write by the Node client within this block; the ledger is complete after it."""
    writers = NodeWriters(world, clubs, pause_s, shards)
    try:
        assert writers.ready.wait(30), "the Node writers have no map"
        yield writers.ledger
    finally:
        writers.end()
