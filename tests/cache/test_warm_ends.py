"""`dbz cache warm` ends, whatever its stores do, and whatever they were doing when Ctrl-C came."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from pymongo import MongoClient

from dbz.children import Child, free_port
from tests.children.processes import eventually
from tests.cli.running import start_dbz
from tests.server.backend import mongo_uri, start_mongo, start_redis
from tests.whole import some

WARMUP = """
schema: dbz.warmup/1
warmers:
"""
WITHIN_S = 16.0  # some 10 s, on a machine that others use as well


class Stores:
    """A document store and a Redis that may be killed or frozen, and a warm-up of several warmers at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = free_port(), free_port()
        self.children: dict[str, Child] = {
            "mongo": start_mongo(folder, self.ports[0]),
            "redis": start_redis(folder, self.ports[1]),
        }
        text = WARMUP
        with MongoClient(mongo_uri(self.ports[0])) as client:
            for number in range(6):
                name = f"docs{number}"
                client["dbz"][name].insert_many([{"_id": f"{name}/{n:05d}", "text": "x" * 200} for n in range(800)])
                text += (
                    f'  - {{name: {name}, collection: {name}, key: "{name}:{{_id}}", ttl: 1h, projection: [text]}}\n'
                )
        (folder / "w.yaml").write_text(text)

    def strike(self, store: str, sent: signal.Signals) -> None:
        """Send a signal to a store."""
        os.kill(self.children[store].pid, sent)

    def warm(self) -> subprocess.Popen[str]:
        """A warm-up that has written something."""
        urls = ["--mongo-uri", mongo_uri(self.ports[0]), "--redis-url", f"redis://127.0.0.1:{self.ports[1]}"]
        command = ["cache", "warm", "--config", "w.yaml", "--rate", "300/s", *urls]
        env = {**os.environ, "DBZ_STATE_DIR": str(self.folder / "state"), "NO_COLOR": "1"}
        process = start_dbz(command, cwd=self.folder, env=env, stderr=subprocess.PIPE, text=True)
        client = redis.Redis(port=self.ports[1])
        assert eventually(lambda: client.dbsize() > 300)
        client.close()
        return process

    def close(self) -> None:
        """End everything."""
        for child in self.children.values():
            child.interrupt(signal.SIGCONT)
            child.interrupt(signal.SIGKILL)
            child.stop()


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    made = Stores(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("store", ["mongo", "redis"])
def test_a_store_that_dies_or_hangs_ends_it_with_3(stores: Stores, store: str, sent: signal.Signals) -> None:
    with stores.warm() as process:
        stores.strike(store, sent)
        began = time.monotonic()
        _, told = process.communicate(timeout=60)
    assert process.returncode == 3, told
    assert time.monotonic() - began < WITHIN_S
    assert "Traceback" not in told and "Exception" not in told and "destroyed" not in told, told
    assert ("the document store failed" if store == "mongo" else "Redis failed") in told


@pytest.mark.parametrize("store", some(["redis", "mongo"], 1))
def test_ctrl_c_ends_it_while_a_store_hangs(stores: Stores, store: str) -> None:
    with stores.warm() as process:
        stores.strike(store, signal.SIGSTOP)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, told = process.communicate(timeout=60)
    assert process.returncode in (3, 130) and time.monotonic() - began < WITHIN_S / 2, told
    assert "Traceback" not in told and "Exception" not in told


def test_a_second_ctrl_c_ends_it_at_once(stores: Stores) -> None:
    with stores.warm() as process:
        stores.strike("mongo", signal.SIGSTOP)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and time.monotonic() - began < 4, told
    assert "Traceback" not in told
