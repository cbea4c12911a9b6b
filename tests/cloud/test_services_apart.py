"""One ECS service for each service of the app: its tasks are the processes that the gateway finds."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from dbz.children import free_port
from tests.cloud.clouds import running_cloud
from tests.server.backend import SECRET, mongo_uri, start_mongo, start_redis


def chats(port: int) -> list[str]:
    """The chat processes that the gateway on `port` knows."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
        found = json.load(answer)
    return [one["name"] for one in found["services"]["chat"]["instances"]]


def eventually(holds: Callable[[], bool], within_s: float = 30.0) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_another_task_of_a_service_is_another_process_that_the_gateway_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)
    monkeypatch.setenv("MESH_SECRET", SECRET)
    mongo, redis, app = free_port(), free_port(), free_port()
    servers = ["--mongo-uri", mongo_uri(mongo), "--redis-url", f"redis://127.0.0.1:{redis}/0"]
    tasks = ["--tasks", "1", "--services", "chat=1", "--server-port", str(app), "--logs", str(tmp_path)]
    with (
        start_mongo(tmp_path, mongo),
        start_redis(tmp_path, redis),
        running_cloud(tmp_path, *tasks, "--", *servers) as cloud,
    ):
        for name in ("api", "chat"):
            cloud.until(name, lambda one: one["runningCount"] == 1, within_s=60)
        eventually(lambda: len(chats(app)) == 1)
        first = chats(app)
        ecs = cloud.client("ecs")
        ecs.update_service(cluster="dbz", service="chat", desiredCount=2)
        cloud.until("chat", lambda one: one["runningCount"] == 2, within_s=60)
        eventually(lambda: len(chats(app)) == 2)
        ecs.update_service(cluster="dbz", service="chat", desiredCount=1)
        eventually(lambda: chats(app) == first)
    assert (tmp_path / "chat-2.log").exists()
