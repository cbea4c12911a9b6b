"""Three real document stores that keep what they acknowledged, and deployments on them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dbz.children import free_port
from dbz.config.shards import Shards
from dbz.shards.deployment import Deployment
from dbz.shards.legacy import legacy_hash
from tests.server.backend import mongo_uri, start_mongo

SHARDS = 3
COLLECTIONS = ("posts", "messages")


@pytest.fixture(scope="session")
def shard_folder() -> Iterator[Path]:
    """A folder for the stores' data that is gone at the end."""
    path = Path(tempfile.mkdtemp(prefix="dbz-shard-tests-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def shard_uris(shard_folder: Path) -> Iterator[list[str]]:
    """The URIs of the stores."""
    ports = [free_port() for _ in range(SHARDS)]
    folders = [shard_folder / str(number) for number in range(SHARDS)]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(SHARDS) as starting:
        started = [
            starting.submit(start_mongo, *where, "--sync-on-commit") for where in zip(folders, ports, strict=True)
        ]
    with ExitStack() as stack:
        children = [stack.enter_context(one.result()) for one in started]
        yield [mongo_uri(port) for port in ports]
        for child in children:
            child.interrupt(signal.SIGKILL)  # a tidy end takes seconds, and the data are thrown away


@dataclass
class World:
    """A deployment of a test's own on the shared stores, and the file that describes it."""

    database: str
    config: Path
    environment: dict[str, str]
    deployment: Deployment

    @property
    def env(self) -> dict[str, str]:
        """For a child process."""
        return {**os.environ, **self.environment}

    def fill(self, sizes: Mapping[str, int], shard_count: int = 2, text: str = "x" * 100) -> None:
        """Write clubs of so many documents a collection where the app's formula puts them."""
        for club_id, number in sizes.items():
            shard = self.deployment.shard(f"shard_{legacy_hash(club_id) % shard_count}")
            for collection in COLLECTIONS:
                shard[collection].insert_many(documents(club_id, number, text))

    def found(self, club_id: str, shard: str) -> dict[str, dict[Any, Any]]:
        """{collection: {id: document}} of a club on a shard."""
        database = self.deployment.shard(shard)
        return {name: {row["_id"]: row for row in database[name].find({"club_id": club_id})} for name in COLLECTIONS}


def documents(club_id: str, number: int, text: str = "x") -> list[dict[str, Any]]:
    """Documents of a club, with ids that tell whose they are."""
    return [{"_id": f"{club_id}/{at:06d}", "club_id": club_id, "n": at, "text": text} for at in range(number)]


def make_world(folder: Path, uris: list[str], database: str, shard_count: int = 2, redis_url: str = "") -> World:
    """A deployment named `database`, whose shards file lies in `folder`."""
    environment = {f"TEST_SHARD_{number}": uri for number, uri in enumerate(uris)}
    if redis_url:
        environment["TEST_REDIS"] = redis_url
    shards = "".join(f"  shard_{number}: TEST_SHARD_{number}\n" for number in range(len(uris)))
    collections = "".join(f"  {name}: club_id\n" for name in COLLECTIONS)
    config = folder / "shards.yaml"
    config.write_text(
        f"schema: dbz.shards/1\ndatabase: {database}\nshard_count: {shard_count}\nshards:\n{shards}"
        f"{'redis: TEST_REDIS' if redis_url else ''}\ncollections:\n{collections}"
    )
    file = Shards(
        schema="dbz.shards/1",
        database=database,
        shard_count=shard_count,
        shards={f"shard_{number}": f"TEST_SHARD_{number}" for number in range(len(uris))},
        redis="TEST_REDIS" if redis_url else None,
        collections=dict.fromkeys(COLLECTIONS, "club_id"),
    )
    return World(database, config, environment, Deployment(file, environment))
