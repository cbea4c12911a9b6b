"""Whose work is on the machine: known amounts of CPU time are burnt by processes of known descent."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dbz.load import machine
from dbz.load.machine import MachineWatch
from tests.children.processes import eventually

BURNT_S = 0.6
REMOTE = "http://club.example"
BURN = f"""
import time
def burn():
    end = time.process_time() + {BURNT_S}
    while time.process_time() < end:
        pass
"""
LEAVE = "import os; os.fork() and os._exit(0); os.setsid()\n"
"""The rest is done by an orphan, which no process of the tests is a parent of."""


def used_s(watch: MachineWatch, path: Path, key: str) -> float:
    """Seconds of CPU in the record so far."""
    watch.update()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return sum(line[key] * line["dt"] * line["cores"] for line in lines)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PERIOD_S", 0.02)


def test_the_work_of_children_is_the_loads_own(tmp_path: Path) -> None:
    with MachineWatch(REMOTE, tmp_path / "m", time.monotonic()) as watch:
        subprocess.run([sys.executable, "-c", BURN + "burn()"], check=True)
        assert used_s(watch, tmp_path / "m", "own") >= 0.9 * BURNT_S


def test_the_work_of_strangers_is_that_of_others(tmp_path: Path) -> None:
    done = tmp_path / "done"
    with MachineWatch(REMOTE, tmp_path / "m", time.monotonic()) as watch:
        subprocess.run([sys.executable, "-c", LEAVE + BURN + f"burn(); open({str(done)!r}, 'w')"], check=True)
        eventually(done.exists)
        assert used_s(watch, tmp_path / "m", "others") >= 0.8 * BURNT_S


SERVER = (
    LEAVE
    + BURN
    + """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    with open(sys.argv[1], "w") as file:
        file.write(str(server.getsockname()[1]))
    server.settimeout(30)
    for _ in range(2):
        peer, _ = server.accept()
        burn()
        peer.close()
"""
)


def test_a_target_on_this_machine_is_the_loads_own_whoever_started_it(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    subprocess.run([sys.executable, "-c", SERVER, str(port_file)], check=True)
    eventually(lambda: port_file.exists() and port_file.read_text())
    port = int(port_file.read_text())

    def ask() -> None:
        with machine_socket(port) as peer:
            peer.recv(1)

    ask()  # work of before does not count
    with MachineWatch(f"http://127.0.0.1:{port}", tmp_path / "m", time.monotonic()) as watch:
        ask()
        assert 0.9 * BURNT_S <= used_s(watch, tmp_path / "m", "own") < 1.9 * BURNT_S


def machine_socket(port: int) -> socket.socket:

    return socket.create_connection(("127.0.0.1", port), 20)


def test_a_target_whose_process_cannot_be_told_leaves_others_unknown(tmp_path: Path) -> None:

    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))  # nobody listens
        url = f"http://127.0.0.1:{unbound.getsockname()[1]}"
        with MachineWatch(url, tmp_path / "m", time.monotonic()) as watch:
            eventually(lambda: watch.update() or (tmp_path / "m").stat().st_size)
    line = json.loads((tmp_path / "m").read_text().splitlines()[0])
    assert "others" not in line and line["cores"] >= 1
