"""One stage for all tests of pushes and mails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import redis
from pymongo import MongoClient

from dbz.children import free_port
from tests.push.standin import PushStandIn, start_push
from tests.server.backend import seed, start_redis, start_server
from tests.server.clients import SignIn, signing_in
from tests.server.push.postbox import Postbox, open_postbox
from tests.server.push.stage import MAIL, SETTINGS, PushStage

DATABASE = "pushes"


@pytest.fixture(scope="package")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushStandIn]:
    """APNs and FCM."""
    with start_push(tmp_path_factory.mktemp("push")) as running:
        yield running


@pytest.fixture(scope="package")
def postbox() -> Iterator[Postbox]:
    """A mail server."""
    with open_postbox() as running:
        yield running


@pytest.fixture(scope="package")
def stage(
    stores: tuple[str, str],
    stand_in: PushStandIn,
    postbox: Postbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PushStage]:
    """A server of two processes, with a queue of its own."""
    uri, _ = stores
    own = tmp_path_factory.mktemp("push-stage")
    config = own / "settings.yaml"
    config.write_text(SETTINGS)
    port = free_port()
    seed(own, "--mongo-uri", uri, "--database", DATABASE, "--clubs", "2")
    environment = {**stand_in.environment(), **MAIL, "SMTP_URL": postbox.url}
    options = ["--processes", "2", "--config", str(config), "--database", DATABASE, "--warmup", "none"]
    with start_redis(own, port):
        child, where = start_server(own, uri, f"redis://127.0.0.1:{port}", options, environment)
        with child, MongoClient(uri, tz_aware=True) as mongo, redis.Redis(port=port) as queue:
            # A club of which everybody can be told soon.
            mongo[DATABASE]["users"].delete_many({"_id": {"$gte": "user0060", "$lt": "user0199"}})
            yield PushStage(where, stand_in, postbox, mongo[DATABASE], queue, own)


@pytest.fixture
async def sign_in(stage: PushStage) -> AsyncIterator[SignIn]:
    """Signs users in at that server, on which nothing was sent yet."""
    stage.clean()
    async with signing_in(stage.where.url) as sign:
        yield sign
