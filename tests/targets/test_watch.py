"""Real services tell their figures, or their processes do, and it is said who did."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from dbz.children import Child, free_port, wait_until
from dbz.config.load.metrics import TargetMetrics
from dbz.targets.processes import serving
from dbz.targets.watch import TargetWatch
from tests.load.socketio_servers import NODE_FOLDER, listens, node_packages
from tests.targets.strangers import stranger

APP = Path(__file__).parent / "python_app.py"


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    node_packages()
    with stranger("node", str(NODE_FOLDER / "metrics.mjs"), "PORT", "club_", "20") as url:
        yield url


@pytest.fixture(scope="module")
def python() -> Iterator[str]:
    with stranger(sys.executable, str(APP), "PORT", "1", "metrics") as url:
        yield url


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """Three processes without metrics."""
    with stranger(sys.executable, str(APP), "PORT", "3") as url:
        yield url


@contextmanager
def busy(url: str) -> Iterator[None]:
    """Work for the server all the time."""
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):  # the machine may be too busy to answer in time
                urllib.request.urlopen(f"{url}/work", timeout=30).close()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def seen(target: str, enough: Callable[[dict[str, Any]], bool] = bool, /, **metrics: Any) -> dict[str, Any]:
    """The first line in which there is enough, with the sources that were told until then."""

    async def look() -> dict[str, Any]:
        watch, known = TargetWatch(target, TargetMetrics.model_validate(metrics)), dict[str, Any]()
        for _ in range(60):
            line = await watch.look()
            if line is None:
                return {"nothing": True}
            known |= {key: line[key] for key in ("sources", "missing") if key in line}
            if enough({**known, **line}):
                return {**known, **line}
            await asyncio.sleep(0.3)
        raise AssertionError(f"never enough, at last {line} {known}")

    return asyncio.run(look())


def is_busy(line: dict[str, Any]) -> bool:
    return line.get("cpu_share", 0) > 0.01


def test_a_node_service_with_prom_client(node: str) -> None:
    with busy(node):
        line = seen(node, lambda line: is_busy(line) and line.get("event_loop_lag_ms", 0) > 5 and line["connections"])
    assert 20e6 < line["memory_bytes"] < 500e6
    assert line["sources"]["cpu"] == {
        "origin": f"{node}/metrics",
        "metric": "club_process_cpu_seconds_total",
        "note": "",
    }
    assert line["sources"]["event_loop_lag"]["metric"] == "club_nodejs_eventloop_lag_p99_seconds"
    assert line["sources"]["connections"]["origin"].endswith(f"(node) on port {node.rpartition(':')[2]}")
    assert "does not tell it" in line["missing"]["queries"]


def test_a_python_service_with_prometheus_client_and_a_mapping_behind_a_redirect(python: str) -> None:
    with busy(python):
        line = seen(python, is_busy, connections='club_sockets{room="b"}', memory="my_memory")
    assert line["connections"] == 3
    assert line["sources"]["cpu"]["origin"] == f"{python}/metrics/"
    assert line["memory_bytes"] is None and line["missing"]["memory"] == f"{python}/metrics/ has no my_memory"


def test_processes_tell_what_no_page_does(silent: str) -> None:
    with busy(silent):
        line = seen(silent, is_busy)
    port = silent.rpartition(":")[2]
    assert line["sources"]["memory"]["origin"].startswith("3 processes (python")
    assert line["sources"]["memory"]["origin"].endswith(f" on port {port}")
    pids = [one.pid for one in serving(int(port)).listeners]
    assert len(pids) == 3, "all that share the socket"
    resident = sum(psutil.Process(pid).memory_info().rss for pid in pids)
    assert line["memory_bytes"] == pytest.approx(resident, rel=0.2)
    assert "/metrics: HTTP 404" in line["missing"]["event_loop_lag"]


def test_several_instances_are_one_target(node: str, python: str) -> None:
    line = seen(node, lambda line: "cpu_share" in line, url=[f"{node}/metrics", f"{python}/metrics/"])
    each = [seen(url, lambda line: "cpu_share" in line)["memory_bytes"] for url in (node, python)]
    assert line["memory_bytes"] == pytest.approx(sum(each), rel=0.3)
    assert line["sources"]["memory"]["origin"].startswith("2 instances, the first of them ")
    assert "event_loop_lag_ms" not in line, "one of them has none"


def test_one_instance_that_is_down_is_no_smaller_target(node: str) -> None:
    nobody = f"http://user:secret@127.0.0.1:{free_port()}/metrics"
    line = seen(node, url=["/metrics", nobody])
    assert "refused" in line["metrics_trouble"] or "Connect" in line["metrics_trouble"]
    assert "secret" not in str(line) and "memory_bytes" not in line


def test_what_somebody_named_must_be_there(node: str) -> None:
    assert seen(node, url="/nowhere") == {"metrics_trouble": "HTTP 404"}
    assert seen(node, url="/status", memory="mine") == {"metrics_trouble": "it has no mine"}


def test_processes_that_answer_in_turn_each_for_itself_are_looked_at_from_outside() -> None:
    with stranger(sys.executable, str(APP), "PORT", "3", "metrics") as url:
        line = seen(url, lambda line: "3 processes" in str(line.get("sources", {}).get("cpu")) and "cpu_share" in line)
    assert line["cpu_share"] < 1 and line["sources"]["memory"]["origin"].startswith("3 processes")


BROKEN = r"""
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = server.accept()
    connection.recv(9999)
    connection.sendall(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
    connection.close()
"""


def test_a_page_that_is_there_and_broken_is_not_replaced_by_processes() -> None:
    with stranger(sys.executable, "-c", BROKEN, "PORT") as url:
        assert seen(url) == {"metrics_trouble": "HTTP 500"}


def test_dbz_itself_is_not_its_target(tmp_path: Path) -> None:
    port = free_port()
    with Child("app", [sys.executable, str(APP), str(port), "1"], log=tmp_path / "log", grace_s=0.3) as child:
        wait_until(lambda: listens(port), child, deadline_s=20, what="app")
        assert serving(port).why_not == "it is dbz itself that listens there"
        assert seen(f"http://127.0.0.1:{port}") == {"nothing": True}
    assert "no process can be seen" in serving(port).why_not


def test_a_container_is_found_through_the_proxy_in_front_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy listens here, and the server in a network of its own, as with published ports of containers."""
    inner = ["unshare", "-n", "sh", "-c", f"ip link set lo up && exec {sys.executable} {APP} 8123 1"]
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "ip", "link", "set", "lo", "up"], check=False).returncode:
        pytest.skip("a network of one's own needs rights that this user does not have")
    proxy = shutil.copy(Path(sys.executable).resolve(), tmp_path / "docker-proxy")
    monkeypatch.setenv("PYTHONHOME", sys.base_prefix)
    listen = "import socket,sys,time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"
    words = ["-container-ip", "127.0.0.1", "-container-port", "8123"]
    with stranger(str(proxy), "-c", listen, "PORT", *words) as url:
        port = int(url.rpartition(":")[2])
        assert serving(port).why_not == f"docker-proxy, which listens on port {port}, only passes on"
        monkeypatch.delenv("PYTHONHOME")
        with Child("container", inner, log=tmp_path / "log", grace_s=0.3):
            end_s = time.monotonic() + 10
            while not (found := serving(port)).listeners or found.port != 8123:
                assert time.monotonic() < end_s, found
                time.sleep(0.1)
            assert str(APP) in found.listeners[0].cmdline()
