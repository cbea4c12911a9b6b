"""What watching costs: ten services, two Redis and three document stores, all of them real and on this machine.

The monitor asks once a second, so that an hour of rounds of ten seconds passes in six minutes; what a round costs is
then taken as a share of ten seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil

from dbz.stack import parts
from dbz.stack.parts import store_uri
from dbz.stack.stack import Stack

SERVICES, CACHES, STORES = 10, 2, 3
ROUNDS = int(os.environ.get("BENCH_MONITOR_ROUNDS", "360"))
WARM_UP_ROUNDS = 30
INTERVAL_S = 10.0
MOST_SHARE, MOST_BYTES, MOST_GROWTH = 0.02, 100e6, 0.05
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_ROUTES = 8


class Service(ThreadingHTTPServer):
    """Tells what prom-client does: a histogram by route and status, memory, CPU, lag."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = 0

    def page(self) -> bytes:
        """Its metrics, a little further at every question."""
        self.asked += 1
        lines = [f"process_resident_memory_bytes {9e7 + self.asked}",
                 f"process_cpu_seconds_total {self.asked * 0.05:.2f}",
                 "nodejs_eventloop_lag_p99_seconds 0.012", "nodejs_active_handles_total 40"]  # fmt: skip
        name = "http_request_duration_seconds"
        for route in range(_ROUTES):
            labels = f'method="GET",route="/api/{route}",status_code="200"'
            count = self.asked * 20
            lines += [f'{name}_bucket{{le="{edge}",{labels}}} {count * min(edge * 4, 1):.0f}' for edge in _BUCKETS]
            lines += [f'{name}_bucket{{le="+Inf",{labels}}} {count}', f"{name}_sum{{{labels}}} {count * 0.1:.3f}",
                      f"{name}_count{{{labels}}} {count}"]  # fmt: skip
        return "\n".join([*lines, ""]).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        body = self.server.page() if self.path == "/metrics" else b"ok"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def watched() -> Iterator[Path]:
    """A folder with the file of the monitor, and all that it watches."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="dbz-bench-")))
        stack = running.enter_context(Stack(folder))
        kinds = [*(partial(parts.document_store, f"store{at}") for at in range(STORES)), *[parts.cache] * CACHES]
        brought = stack.bring_up(*kinds)
        services = [Service() for _ in range(SERVICES)]
        for service in services:
            threading.Thread(target=service.serve_forever, daemon=True).start()
            running.callback(service.shutdown)
        document = {
            "schema": "dbz.monitor/1",
            "targets": [{"name": f"api{at}", "url": f"http://127.0.0.1:{one.server_port}", "memory_limit": "1GB"}
                        for at, one in enumerate(services)],
            "stores": [{"name": f"store{at}", "uri": store_uri(one.port)} for at, one in enumerate(brought[:STORES])],
            "redis": [{"name": f"cache{at}", "url": f"redis://127.0.0.1:{one.port}/0"}
                      for at, one in enumerate(brought[STORES:])],
            "alerts": [{"type": "SLOW", "when": "response time > 1000ms for 1 minute"},
                       {"type": "FAILS", "when": "error rate > 1% for 1 minute"},
                       {"type": "FULL", "when": "memory > 80% for 1 minute"},
                       {"type": "BUSY", "when": "CPU > 70% for 1 minute"},
                       {"type": "MANY", "when": "active connections > 1000 for 1 minute"}],
        }  # fmt: skip
        (folder / "monitor.yaml").write_text(json.dumps(document))
        yield folder


def measure() -> bool:
    """Measure and print; whether the budgets hold."""
    with watched() as folder, (folder / "out").open("w") as out:
        command = [sys.executable, "-m", "dbz.cli.main", "monitor", "--config", str(folder / "monitor.yaml"),
                   "--state", str(folder / "m.db"), "--interval", "1s", "--json"]  # fmt: skip
        with subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
            try:
                early, late = _at(process, folder, WARM_UP_ROUNDS), _at(process, folder, WARM_UP_ROUNDS + ROUNDS)
            finally:
                process.terminate()
                process.wait(30)
    a_round_s = (late[0] - early[0]) / (late[2] - early[2])
    share, growth = a_round_s / INTERVAL_S, late[1] / early[1] - 1
    print(f"\nwatching {SERVICES} services, {CACHES} Redis and {STORES} stores for {late[2]} rounds")
    print(
        f"CPU: {a_round_s * 1000:.0f} ms a round, {share:.2%} of a core every {INTERVAL_S:g} s (under {MOST_SHARE:.0%})"
    )
    print(f"memory: {late[1] / 1e6:.0f} MB (under {MOST_BYTES / 1e6:.0f}), {growth:+.1%} since round {early[2]}")
    return share < MOST_SHARE and late[1] < MOST_BYTES and growth < MOST_GROWTH


def _at(process: subprocess.Popen[bytes], folder: Path, rounds: int) -> tuple[float, int, int]:
    """CPU seconds and resident bytes of the monitor and its children after so many rounds, and how many those were."""
    while (done := _rounds(folder)) < rounds:
        if process.poll() is not None:
            raise SystemExit((folder / "out").read_text()[-2000:])
        time.sleep(0.5)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    cpu_s = sum(sum(one.cpu_times()[:4]) for one in family)
    return cpu_s, sum(one.memory_info().rss for one in family), done


def _rounds(folder: Path) -> int:
    text = (folder / "out").read_text()
    return text.count('"target": "api0", "reading"')
