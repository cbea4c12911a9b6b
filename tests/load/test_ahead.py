"""A generator that waits for its orders: it does what it is told, and ends when nobody tells it anything."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dbz.load.ahead import WaitingGenerator
from dbz.load.launch import GeneratorProcesses
from dbz.load.spec import AdHocRequest, GeneratorRole, GeneratorSpec, ProcessEnd
from dbz.measure.latency.series import HTTP
from dbz.runs.folder import RunFolder, create_run_folder
from dbz.runs.reading import read_record

_PATIENCE_S = 60.0


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def orders(folder: RunFolder, url: str) -> GeneratorSpec:
    return GeneratorSpec(
        folder=str(folder.path), role=GeneratorRole.LOCAL, worker=0, workers=1, scenario="", target=url, users=2,
        rate_per_s=None, duration_s=1, warmup_s=0, seed=5, clubs=1, started_epoch_s=datetime.now(UTC).timestamp(),
        started_monotonic_s=time.monotonic(), request=AdHocRequest(url), allowed_targets=("127.0.0.1",),
    )  # fmt: skip


def test_it_makes_the_load_that_it_is_told_later(tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path, "20261201T000000Z-ahead")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server, WaitingGenerator(folder.logs) as waiting:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        spec = orders(folder, f"http://127.0.0.1:{server.server_port}/")
        with GeneratorProcesses(spec, folder, waiting) as generator:
            until_s = time.monotonic() + _PATIENCE_S
            while generator.running() and time.monotonic() < until_s:
                time.sleep(0.05)
        server.shutdown()
    record = read_record(folder)
    assert generator.lost_workers == 0
    assert sum(len(one.histogram) for one in record.intervals if one.series.kind == HTTP) > 0
    assert list(record.workers) == ["worker-0"]


def test_without_orders_it_ends_by_itself_and_leaves_no_record(tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path, "20261201T000000Z-ahead")
    waiting = WaitingGenerator(folder.logs)
    child = waiting._child
    assert child is not None and child.exit_code is None
    os.close(waiting._orders)
    assert child.wait(_PATIENCE_S) == ProcessEnd.COMPLETE
    child.stop()
    assert not folder.worker_logs() and child.log.read_text() == ""


def test_a_run_that_does_not_come_about_ends_it(tmp_path: Path) -> None:
    with WaitingGenerator(tmp_path) as waiting:
        child = waiting._child
    assert child is not None and child.exit_code is not None


def test_one_that_was_killed_while_it_waited_is_a_lost_worker(tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path, "20261201T000000Z-ahead")
    with WaitingGenerator(folder.logs) as waiting:
        assert waiting._child is not None
        os.kill(waiting._child.pid, 9)
        waiting._child.wait(_PATIENCE_S)
        with GeneratorProcesses(orders(folder, "http://127.0.0.1:9/"), folder, waiting) as generator:
            assert not generator.running()
        assert generator.lost_workers == 1
