"""A deployment of its own for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbz.shards.plan.adoption import adopt
from tests.shards.moves import CLUBS
from tests.shards.stores import World, make_world


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """All asynchronous tests run on asyncio."""
    return "asyncio"


@pytest.fixture
def world(tmp_path: Path, shard_uris: list[str]) -> Iterator[World]:
    """Two shards that hold clubs and one that stands by."""
    made = make_world(tmp_path, shard_uris, f"t{secrets.token_hex(6)}")
    with made.deployment:
        yield made


@pytest.fixture
def adopted(world: World) -> World:
    """Six clubs on the two shards, adopted."""
    world.fill(dict.fromkeys(CLUBS, 60))
    adopt(world.deployment)
    return world
