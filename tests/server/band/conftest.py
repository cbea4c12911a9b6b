"""One stage for all tests of Band."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import redis
from pymongo import MongoClient

from dbz.children import free_port
from tests.band.standin import start_band
from tests.server.backend import Backend, mongo_uri, seed, start_mongo, start_redis
from tests.server.band.stage import Stage
from tests.server.clients import SignIn, signing_in


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Stores with demo data, and a Band with as many bands."""
    folder = tmp_path_factory.mktemp("band-stage")
    mongo_port, redis_port = free_port(), free_port()
    uri = mongo_uri(mongo_port)
    with (
        start_mongo(folder, mongo_port),
        start_redis(folder, redis_port),
        start_band(folder, "--bands", "3", "--members", "150", "--photos", "40") as band,
    ):
        seed(folder, "--mongo-uri", uri, "--clubs", "3")
        redis_url = f"redis://127.0.0.1:{redis_port}"
        with MongoClient(uri) as mongo, redis.Redis.from_url(redis_url) as cache:
            yield Stage(band, uri, redis_url, folder, mongo, cache)


@pytest.fixture(scope="package")
def banded(stage: Stage) -> Iterator[Backend]:
    """A server of two processes that uses Band, and logs all that it can; it leaves synchronising to others."""
    settings = stage.folder / "settings.yaml"
    settings.write_text("log_level: debug\nband: {poll_s: 100000}\n")
    child, backend = stage.server(["--processes", "2", "--config", str(settings)])
    with child:
        yield backend


@pytest.fixture
async def sign_in(banded: Backend) -> AsyncIterator[SignIn]:
    """Signs users in at that server."""
    async with signing_in(banded.url) as sign:
        yield sign
