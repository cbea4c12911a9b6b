"""One set of servers for the whole session, and signed-in users for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from dbz.children import free_port
from tests.server.backend import Backend, mongo_uri, seed, start_mongo, start_redis, start_server
from tests.server.clients import SignIn, signing_in


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """All asynchronous tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder for data and logs that is gone at the end."""
    path = Path(tempfile.mkdtemp(prefix="dbz-server-tests-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def stores(folder: Path) -> Iterator[tuple[str, str]]:
    """A seeded document store and a Redis: their URLs."""
    mongo_port, redis_port = free_port(), free_port()
    uri = mongo_uri(mongo_port)
    with start_mongo(folder, mongo_port), start_redis(folder, redis_port):
        seed(folder, "--mongo-uri", uri, "--clubs", "3")
        yield uri, f"redis://127.0.0.1:{redis_port}"


@pytest.fixture(scope="session")
def backend(folder: Path, stores: tuple[str, str]) -> Iterator[Backend]:
    """The reference server with one process."""
    child, where = start_server(folder, *stores)
    with child:
        yield where


@pytest.fixture
async def sign_in(backend: Backend) -> AsyncIterator[SignIn]:
    """Signs users in; their clients close at the end of the test."""
    async with signing_in(backend.url) as sign:
        yield sign


@pytest.fixture
async def anyone(backend: Backend) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is not signed in."""
    async with httpx.AsyncClient(base_url=backend.url, timeout=60) as http:
        yield http
