"""The server as a visitor finds it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

from dbz.children import Child, free_port, wait_until
from tests.server.backend import SECRET, Backend, answers, seed
from tests.server.clients import SignIn

pytestmark = pytest.mark.anyio


async def test_health_and_readiness_answer(anyone: httpx.AsyncClient) -> None:
    """Both probes answer 200 once the stores are up."""
    assert (await anyone.get("/healthz")).json() == {"status": "ok"}
    told = (await anyone.get("/readyz")).json()
    assert told.pop("warm") in (True, False)
    assert told == {"status": "ready", "mongo": True, "redis": True, "indexes": True}


async def test_metrics_name_every_process_and_query(sign_in: SignIn, anyone: httpx.AsyncClient) -> None:
    """The figures that budgets are judged by are all there."""
    user = await sign_in("user0001")
    await user.get("/api/posts?search=nothing-that-was-warmed")
    text = (await anyone.get("/metrics")).text
    for line in (
        "dbz_process_cpu_seconds_total{pid=",
        "dbz_process_resident_memory_bytes{pid=",
        "dbz_server_cores 1.0",
        "dbz_socket_connections 0.0",
        'dbz_http_requests_total{method="GET",route="/api/posts",status="200"}',
        'dbz_http_request_duration_seconds_bucket{le="0.5",route="/api/posts"}',
        'dbz_query_duration_seconds_bucket{le="0.1",name="posts.list"}',
        'dbz_cache_requests_total{layer="local",outcome="miss"}',
    ):
        assert line in text, line


_PREFERS_ANOTHER_WAY = (
    "import multiprocessing, runpy, sys\n"
    "multiprocessing.set_start_method('forkserver')\n"
    "runpy.run_module('dbz.server', run_name='__main__', alter_sys=True)\n"
)


async def test_workers_are_forked_also_where_python_prefers_another_way(backend: Backend, tmp_path: Path) -> None:
    """`forkserver` is what Python 3.14 has for a default on Linux."""
    port = free_port()
    where = ["--port", str(port), "--mongo-uri", backend.mongo_uri, "--redis-url", backend.redis_url]
    command = [sys.executable, "-c", _PREFERS_ANOTHER_WAY, *where]
    with Child("server", command, log=tmp_path / "server.log", env={"JWT_SECRET": SECRET}) as child:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), child, deadline_s=60, what="the server")


async def test_seeding_twice_changes_nothing(backend: Backend, tmp_path: Path) -> None:
    """A second seeding with the same seed is a no-op."""
    again = await asyncio.to_thread(seed, tmp_path, "--mongo-uri", backend.mongo_uri, "--clubs", "3")
    assert again == "already seeded: 3 clubs, seed 1\n"


async def test_chat_reaches_the_other_member(sign_in: SignIn) -> None:
    """A message goes to everybody in the room, with the fields of the wire."""
    sender, receiver = await (await sign_in("user0010")).socket(), await (await sign_in("user0011")).socket("polling")
    for socket in (sender, receiver):
        assert (await socket.call("room:join", {"roomId": "room:club00"}))["ok"]
    ack = await sender.call("message:send", {"roomId": "room:club00", "tempId": "t-1", "content": "hello"})
    assert ack["ok"] and ack["tempId"] == "t-1"
    (batch,) = await receiver.until("message:batch")
    (message,) = batch["messages"]
    assert set(message) == {"id", "roomId", "tempId", "content", "senderId", "timestamp"}
    assert (message["id"], message["content"], message["senderId"]) == (ack["id"], "hello", "user0010")
    assert sender.of("message:sent") == [{"tempId": "t-1", "timestamp": message["timestamp"]}]


async def test_scores_reach_spectators(sign_in: SignIn) -> None:
    """The host's score reaches a member who watches."""
    host, spectator = await (await sign_in("user0002")).socket(), await (await sign_in("user0150")).socket()
    assert (await spectator.call("game:join", {"gameId": "club00-g02"}))["ok"]
    assert (await host.call("game:score_update", {"gameId": "club00-g02", "score": {"home": 3, "away": 1}}))["ok"]
    (update,) = await spectator.until("game:score_updated")
    assert (update["gameId"], update["score"], update["updatedBy"]) == (
        "club00-g02",
        {"home": 3, "away": 1},
        "user0002",
    )
    game = (await (await sign_in("user0150")).get("/api/games/club00-g02")).json()
    assert game["score"] == {"home": 3, "away": 1}


async def test_a_notification_reaches_its_receiver(sign_in: SignIn) -> None:
    """POST /api/notifications answers 202 and the receiver's socket gets the event."""
    sender, receiver = await sign_in("user0020"), await sign_in("user0021")
    socket = await receiver.socket()
    answer = await sender.post(
        "/api/notifications", {"user_id": receiver.id, "type": "note", "title": "Hi", "body": "x"}
    )
    assert answer.status_code == 202
    (event,) = await socket.until("notification:new")
    assert event["id"] == answer.json()["id"] and event["title"] == "Hi"
    assert (await receiver.get("/api/notifications")).json()["items"][0]["id"] == event["id"]
