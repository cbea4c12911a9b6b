"""Running the server: logs, drain, processes that follow their parent, configuration."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from dbz.children import free_port
from dbz.errors import ConfigError
from dbz.server.settings import Settings, load_settings
from tests.children.forked import run_module
from tests.server.backend import SECRET, answers, start_server
from tests.server.clients import connected, eventually, login

pytestmark = pytest.mark.anyio


async def test_sigterm_drains(folder: Path, stores: tuple[str, str]) -> None:
    """Sockets are told to connect again and closed, what they sent is stored, and all processes end with code 0."""
    child, where = start_server(folder, *stores, options=["--processes", "2"])
    with child:
        workers = psutil.Process(child.pid).children()
        async with httpx.AsyncClient(base_url=where.url, timeout=60) as http:
            tokens = await login(http, "user0160")
        async with connected(where.url, tokens["access_token"]) as socket:
            await socket.call("room:join", {"roomId": "room:club00"})
            await socket.emit("message:send", {"roomId": "room:club00", "tempId": "last words", "content": "x"})
            await socket.until("message:sent")
            child.interrupt(signal.SIGTERM)
            (farewell,) = await socket.until("server:draining")
            assert farewell["retryAfter"] > 0
            await eventually(lambda: not socket.client.connected)
        assert await asyncio.to_thread(child.wait, 15) == 0
        assert not any(worker.is_running() for worker in workers)
    second, again = start_server(folder, *stores)
    with second:
        async with httpx.AsyncClient(base_url=again.url, timeout=60) as http:
            tokens = await login(http, "user0160")
            headers = {"authorization": f"Bearer {tokens['access_token']}"}
            history = (await http.get("/api/rooms/room:club00/messages", headers=headers)).json()["items"]
    assert "last words" in [message["tempId"] for message in history]


async def test_workers_end_when_their_supervisor_is_killed(folder: Path, stores: tuple[str, str]) -> None:
    """Even by kill -9."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "dbz.server",
        "--port",
        str(port),
        "--mongo-uri",
        stores[0],
        "--redis-url",
        stores[1],
    ]
    with (folder / "killed.log").open("wb") as log:
        supervisor = subprocess.Popen(
            [*command, "--processes", "2"], stderr=log, env={**os.environ, "JWT_SECRET": SECRET}
        )
    try:
        await eventually(lambda: answers(f"http://127.0.0.1:{port}/healthz"))
        workers = psutil.Process(supervisor.pid).children()
        assert len(workers) == 2
    finally:
        supervisor.kill()
        supervisor.wait()
    await eventually(lambda: not any(worker.is_running() for worker in workers))


async def test_logs_are_json_with_request_ids(folder: Path, stores: tuple[str, str]) -> None:
    """One object a line; a slow answer is logged with the id that its client got."""
    config = folder / "slow.yaml"
    config.write_text("http: {slow_ms: 0.001}\nstores: {slow_query_ms: 0.001}\n")
    child, where = start_server(folder, *stores, options=["--config", str(config)])
    with child:
        async with httpx.AsyncClient(base_url=where.url, timeout=60) as http:
            mark = (await http.post("/api/auth/login", json={"username": "user0161", "password": "demo"})).headers[
                "x-request-id"
            ]
    lines: list[dict[str, Any]] = [json.loads(line) for line in where.log.read_text().splitlines()]
    assert all({"time", "level", "logger", "message", "pid"} <= set(line) for line in lines)
    mine = {line["message"]: line for line in lines if line.get("request_id") == mark}
    assert mine["slow response"]["route"] == "/api/auth/login" and mine["slow response"]["duration_ms"] > 0
    assert mine["slow query"]["query"] == "sessions.open" and "demo" not in json.dumps(lines)


def test_the_example_configuration_holds_the_defaults() -> None:
    """configs/server.yaml names every setting, with the value that holds without a file."""
    example = load_settings(Path(__file__).parents[2] / "configs" / "server.yaml", environment={})
    assert example == Settings()
    text = (Path(__file__).parents[2] / "configs" / "server.yaml").read_text()
    for section, values in Settings().model_dump().items():
        names = values if isinstance(values, dict) else [section]
        assert all(f"{name}:" in text for name in names), section


def test_environment_and_command_line_override_the_file(tmp_path: Path) -> None:
    """The file, then the environment, then the command line."""
    config = tmp_path / "server.yaml"
    config.write_text("stores: {mongo_uri: mongodb://file, redis_url: redis://file}\nhttp: {port: 1}\n")
    environment = {"MONGODB_URI": "mongodb://env", "ALLOWED_ORIGINS": "https://a,https://b", "JWT_SECRET": "s"}
    settings = load_settings(config, environment, {"http": {"port": 2, "host": None}})
    assert (settings.stores.mongo_uri, settings.stores.redis_url) == ("mongodb://env", "redis://file")
    assert settings.http.port == 2 and settings.http.allowed_origins == ("https://a", "https://b")
    assert settings.jwt_secret == "s" and "jwt_secret" not in settings.model_dump()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("http: {prot: 1}", "http.prot"),
        ("http: {port: 70000}\nrealtime: {policy: fast}", "realtime.policy"),
        ("- a list", "mapping of sections"),
        ("http: [", "cannot be read"),
        ("jwt_secret: x", "JWT_SECRET"),
        ("http: 5", "mapping of sections"),
    ],
)
def test_configuration_mistakes_are_named(tmp_path: Path, text: str, problem: str) -> None:
    """Every one with its place; nothing is started."""
    config = tmp_path / "server.yaml"
    config.write_text(text)
    with pytest.raises(ConfigError, match=problem.replace(".", r"\.")):
        load_settings(config, {})


def test_a_wrong_configuration_ends_with_code_2(tmp_path: Path) -> None:
    """One message, no traceback."""
    config = tmp_path / "server.yaml"
    config.write_text("http: {port: 0}")
    done = run_module("dbz.server.__main__", "--config", str(config))
    assert done.returncode == 2 and "http.port" in done.stderr and "Traceback" not in done.stderr


def test_a_port_that_is_taken_ends_the_server(folder: Path, stores: tuple[str, str]) -> None:
    """Said in one line, with a code that is not 0."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run_module("dbz.server.__main__", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 3 and "in use" in done.stderr and "Traceback" not in done.stderr
