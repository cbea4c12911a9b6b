"""Services apart: what happens in one service becomes a push by another, once, although that one is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psutil
import pytest
from pymongo import MongoClient
from redis import Redis

from dbz.children import free_port
from tests.push.standin import PushStandIn
from tests.server.backend import seed, start_redis, start_server
from tests.server.clients import signing_in
from tests.server.push.postbox import Postbox
from tests.server.push.stage import MAIL, SETTINGS, PushStage, android_of, register, token_of, until
from tests.server.test_apart import processes_of

DATABASE = "pushapart"
pytestmark = pytest.mark.anyio
AUTHOR, READER, WRITER = "user0000", "user0001", "user0002"


@pytest.fixture(scope="module")
def apart(
    stores: tuple[str, str], stand_in: PushStandIn, postbox: Postbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PushStage]:
    """Every service in a process of its own."""
    own, (uri, _), port = tmp_path_factory.mktemp("push-apart"), stores, free_port()
    (own / "settings.yaml").write_text(SETTINGS)
    seed(own, "--mongo-uri", uri, "--database", DATABASE, "--clubs", "1")
    environment = {**stand_in.environment(), **MAIL, "SMTP_URL": postbox.url}
    options = ["--services", "apart", "--config", str(own / "settings.yaml"), "--database", DATABASE]
    with start_redis(own, port), Redis(port=port) as queue, MongoClient(uri, tz_aware=True) as mongo:
        child, where = start_server(own, uri, f"redis://127.0.0.1:{port}", options, environment)
        with child:
            _no_service_shows_its_secrets(where.pid)
            yield PushStage(where, stand_in, postbox, mongo[DATABASE], queue, own)


def _no_service_shows_its_secrets(pid: int) -> None:
    """Only notification has them at all, and it reads them after the fork."""
    services = [each for each in psutil.Process(pid).children(recursive=True) if each.name().startswith("dbz-")]
    assert {"dbz-content", "dbz-notificatio"} <= {each.name() for each in services}  # the system keeps 15 letters
    for process in services:
        given = process.environ()
        for secret in ("PUSH_APNS_KEY", "PUSH_FCM_CREDENTIALS", "SMTP_URL", "MAIL_LINK_SECRET"):
            assert not given.get(secret), process.name()


async def test_each_push_is_shown_once_although_notification_is_killed_in_between(apart: PushStage) -> None:
    """By a route of notification, by an event of content, and by a sent-later notification; half of them meanwhile
    notification is gone."""
    apart.clean()
    devices = {AUTHOR: token_of(AUTHOR), READER: android_of(READER)}
    async with signing_in(apart.where.url) as sign:
        people = {name: await sign(name) for name in (AUTHOR, READER, WRITER)}
        for name, token in devices.items():
            await register(people[name], token)
        post = (await people[AUTHOR].post("/api/posts", {"title": "Nets", "content": "are up"})).json()
        wanted: dict[str, list[str]] = {AUTHOR: [], READER: []}
        for round_ in range(4):
            title = f"Round {round_}"
            sent = {"user_id": READER, "type": "x", "title": title}
            assert (await people[WRITER].post("/api/notifications", sent)).status_code == 202
            if round_ % 2:
                killed = _kill(apart, "notification")
            # Content does not need notification to take a comment, nor to promise the event.
            answer = await people[WRITER].post(f"/api/posts/{post['id']}/comments", {"content": title})
            assert answer.status_code == 201, answer.text
            wanted[READER].append(title)
            wanted[AUTHOR].append("New comment on Nets")
            if round_ % 2:
                await until(lambda killed=killed: _of(apart, "notification") not in (None, killed), 60)
                await until(lambda: _is_ready(apart), 60)
            for name in wanted:
                await until(lambda name=name: len(_shown(apart, devices[name])) >= len(wanted[name]), 60)
    await asyncio.sleep(1)  # for one that would come twice
    for name, titles in wanted.items():
        assert sorted(_shown(apart, devices[name])) == sorted(titles)
    assert not apart.redis.xlen("queue:dead")


def _shown(stage: PushStage, token: str) -> list[str]:
    return [push["title"] for push in stage.stand_in.shown(token)]


def _of(stage: PushStage, service: str) -> int | None:
    """The process id of a service's one process; None while there is none."""
    return next((process.pid for process in processes_of(stage.where, service)), None)


def _kill(stage: PushStage, service: str) -> int:
    (program,) = processes_of(stage.where, service)
    for process in [*program.children(recursive=True), program]:
        process.kill()
    psutil.wait_procs([program], timeout=30)
    return program.pid


def _is_ready(stage: PushStage) -> bool:
    import httpx

    return httpx.get(f"{stage.where.url}/readyz").status_code == 200
