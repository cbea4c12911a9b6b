"""The reference server on shards: it follows the map, holds writes of a fenced club, and answers 503 in time."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from dbz.children import free_port
from dbz.config.shards import load_shards
from dbz.shards.control import Control
from dbz.shards.deployment import Deployment
from dbz.shards.journal import MoveJournal
from dbz.shards.lease import hold_lease
from dbz.shards.map import Fence
from dbz.shards.move.mover import MoveOptions
from dbz.shards.move.rebalance import Rebalance
from dbz.shards.plan.document import PlannedMove
from tests.server.backend import start_redis, start_server
from tests.server.clients import login
from tests.server.pictures import photo


@dataclass
class Sharded:
    """A server on two shards, a third that stands by, and the way to move its clubs."""

    url: str
    deployment: Deployment
    environment: dict[str, str]

    def move(self, club: str, source: str, target: str) -> float:
        """Move a club; for how long its writes were held, in milliseconds."""
        with Control(self.deployment) as control, hold_lease(control.database) as lease:
            journal = MoveJournal(control.database, lease)
            journal.add([PlannedMove(club, source, target, 0, 0)])
            outcome = Rebalance(self.deployment, control, journal, MoveOptions(rate_bytes_per_s=None)).run()
        (move,) = outcome.done
        assert move.block_ms is not None
        return move.block_ms


@contextmanager
def sharded_server(shard_uris: list[str], folder: Path, *more: str) -> Iterator[Sharded]:
    """A server with `more` options, with demo data of two clubs in a database of its own."""
    database = f"t{secrets.token_hex(6)}"
    config = folder / "shards.yaml"
    config.write_text(
        (Path(__file__).parents[2] / "configs" / "shards.yaml")
        .read_text()
        .replace("database: dbz ", f"database: {database} ")
    )
    environment = {f"MONGODB_SHARD_{number}_URI": uri for number, uri in enumerate(shard_uris)}
    with ExitStack() as stack:
        port = free_port()
        stack.enter_context(start_redis(folder, port))
        environment["REDIS_URL"] = f"redis://127.0.0.1:{port}"
        options = ["--mongo-uri", shard_uris[0], "--database", database, "--shards", str(config)]
        seed = [sys.executable, "-m", "dbz.server.seed", "--clubs", "2", *options]
        done = subprocess.run(seed, env={**environment, "PATH": ""}, capture_output=True, text=True)
        assert done.returncode == 0 and "on 2 shards" in done.stdout, done.stderr
        options = [*options[2:], *more]
        child, backend = start_server(folder, shard_uris[0], environment["REDIS_URL"], options, environment)
        stack.enter_context(child)
        deployment = stack.enter_context(Deployment(load_shards(config, environment), environment))
        yield Sharded(backend.url, deployment, environment)


@pytest.fixture(scope="module")
def sharded(shard_uris: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sharded]:
    with sharded_server(shard_uris, tmp_path_factory.mktemp("sharded")) as server:
        yield server


async def signed_in(http: httpx.AsyncClient, user: str) -> None:
    tokens = await login(http, user)
    http.headers["authorization"] = f"Bearer {tokens['access_token']}"


async def write(http: httpx.AsyncClient, title: str) -> httpx.Response:
    return await http.post("/api/posts", json={"title": title, "content": "x"})


@pytest.mark.anyio
async def test_a_club_moves_there_and_back_while_members_read_and_write(sharded: Sharded) -> None:
    async with httpx.AsyncClient(base_url=sharded.url, timeout=10) as http:
        await signed_in(http, "user0000")
        written: list[str] = []
        moved = asyncio.Event()

        async def member() -> None:
            while not moved.is_set() or len(written) < 20:
                made = await write(http, f"post {len(written)}")
                assert made.status_code == 201, made.text
                written.append(made.json()["id"])
                assert (await http.get(f"/api/posts/{written[-1]}")).status_code == 200
                assert (await http.get("/api/posts")).status_code == 200

        async def mover() -> None:
            for source, target in (("shard_0", "shard_2"), ("shard_2", "shard_1"), ("shard_1", "shard_0")):
                held_ms = await asyncio.to_thread(sharded.move, "club00", source, target)
                assert held_ms < 5000
            moved.set()

        async with asyncio.timeout(60):
            await asyncio.gather(member(), mover())
    rows = sharded.deployment.shard("shard_0")["posts"].find({"_id": {"$in": written}})
    assert sorted(row["_id"] for row in rows) == sorted(written)


@pytest.mark.anyio
async def test_pictures_move_with_their_club(sharded: Sharded) -> None:
    async with httpx.AsyncClient(base_url=sharded.url, timeout=10) as http:
        await signed_in(http, "user0003")
        made = await http.post("/api/media", content=photo(400, 300))
        assert made.status_code == 201, made.text
        before = await http.get(f"{made.json()['url']}?w=128")
        await asyncio.to_thread(sharded.move, "club00", "shard_0", "shard_2")
        sharded.deployment.shard("shard_0")["media"].delete_one({"_id": made.json()["id"]})  # the old copy
        after = [await http.get(f"{made.json()['url']}?w={width}") for width in (128, 256)]
        await asyncio.to_thread(sharded.move, "club00", "shard_2", "shard_0")
    assert after[0].content == before.content
    assert after[1].status_code == 200, "a size that was not in the cache is made of what lies on the new shard"


@pytest.mark.anyio
async def test_writes_of_a_fenced_club_wait_and_then_get_503_while_reads_and_other_clubs_go_on(
    sharded: Sharded,
) -> None:
    async with (
        httpx.AsyncClient(base_url=sharded.url, timeout=60) as held,
        httpx.AsyncClient(base_url=sharded.url, timeout=60) as other,
    ):
        await signed_in(held, "user0001")
        await signed_in(other, "user0201")
        with Control(sharded.deployment) as control:
            fenced = control.change(lambda before: before.next(fenced={"club00": Fence("a test", 0.6)}))
            await asyncio.to_thread(control.wait_for_routers, fenced.epoch, time.monotonic() + 10)
            begin = time.monotonic()
            refused, made, read = await asyncio.gather(
                write(held, "held"), write(other, "free"), held.get("/api/games")
            )
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert made.status_code == 201 and read.status_code == 200
            assert time.monotonic() - begin < 5
            async with asyncio.timeout(10):
                while (await write(held, "again")).status_code != 201:
                    await asyncio.sleep(0.05)
            assert not control.map().fenced, "nobody came back for the fence, so the server took it away"


@pytest.mark.anyio
async def test_a_fence_that_goes_in_time_costs_its_writes_only_time(sharded: Sharded) -> None:
    async with httpx.AsyncClient(base_url=sharded.url, timeout=60) as http:
        await signed_in(http, "user0002")
        with Control(sharded.deployment) as control:
            fenced = control.fence("a test", "club00", 20.0)
            await asyncio.to_thread(control.wait_for_routers, fenced.epoch, time.monotonic() + 10)
            waiting = asyncio.create_task(write(http, "patient"))
            await asyncio.sleep(0.2)
            assert not waiting.done()
            control.lift("a test")
        assert (await waiting).status_code == 201


def test_shards_without_uris_are_named_before_the_server_starts(sharded: Sharded, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dbz.server", "--shards", "default", "--port", str(free_port())]
    done = subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "MONGODB_SHARD_0_URI, MONGODB_SHARD_1_URI are not set" in done.stderr
