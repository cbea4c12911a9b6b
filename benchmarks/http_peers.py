"""The load tools that are compared, each run for a few seconds: what they completed in a second, by their own count."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from http_server import pinned

from dbz.load.spec import ENVIRONMENT_KEY, AdHocRequest, GeneratorSpec, Role
from dbz.runs.aggregate import latencies
from dbz.runs.folder import create_run_folder
from dbz.runs.reading import read_record

CONNECTIONS = 32
_PATIENCE_S = 60

_FAST_HTTP_USER = """
from locust import FastHttpUser, constant, task
class Peer(FastHttpUser):
    wait_time = constant(0)
    @task
    def get(self):
        self.client.get("/")
"""


def dbz(url: str, seconds: int, core: int) -> float:
    """dbz's own generator process, as `dbz load URL --users 32` starts it, recording everything."""
    return _generator(url, seconds, core, request=AdHocRequest(url))


def fast_http_user(url: str, seconds: int, core: int) -> float:
    """Locust with FastHttpUser."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "locustfile.py"
        scenario.write_text(_FAST_HTTP_USER)
        options = ["-f", str(scenario), "--headless", "--json", "-u", str(CONNECTIONS), "-r", str(CONNECTIONS)]
        text = _run([sys.executable, "-m", "locust", *options, "-t", f"{seconds}s", "-H", url.rstrip("/")], core)
    stats = json.loads(text)[0]
    return stats["num_requests"] / max(stats["last_request_timestamp"] - stats["start_time"], 1e-9)


def hey(url: str, seconds: int, core: int) -> float:
    """hey."""
    text = _run(["hey", "-z", f"{seconds}s", "-c", str(CONNECTIONS), "-cpus", "1", url], core)
    return float(_found(r"Requests/sec:\s+([\d.]+)", text))


def autocannon(url: str, seconds: int, core: int) -> float:
    """autocannon."""
    text = _run([autocannon_path() or "autocannon", "-c", str(CONNECTIONS), "-d", str(seconds), "-j", url], core)
    return float(json.loads(text[text.index("{") :])["requests"]["average"])


def wrk(url: str, seconds: int, core: int) -> float:
    """wrk."""
    text = _run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url], core)
    return float(_found(r"Requests/sec:\s+([\d.]+)", text))


def autocannon_path() -> str | None:
    """Where autocannon is: on the path, or installed beside the benchmarks with `npm install autocannon`."""
    local = Path(__file__).parent / "node_modules" / ".bin" / "autocannon"
    return shutil.which("autocannon") or (str(local) if local.exists() else None)


def present() -> dict[str, Callable[[str, int, int], float]]:
    """The peers that are installed here."""
    peers: dict[str, Callable[[str, int, int], float]] = {"dbz": dbz, "FastHttpUser": fast_http_user}
    if shutil.which("hey"):
        peers["hey"] = hey
    if autocannon_path():
        peers["autocannon"] = autocannon
    if shutil.which("wrk"):
        peers["wrk"] = wrk
    return peers


def _generator(url: str, seconds: int, core: int, request: AdHocRequest | None, scenario: str = "") -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = create_run_folder(Path(name), "run")
        spec = GeneratorSpec(
            folder=str(folder.path),
            role=Role.LOCAL,
            worker=0,
            workers=1,
            scenario=scenario,
            target=url.rstrip("/"),
            users=CONNECTIONS,
            rate_per_s=None,
            duration_s=seconds,
            warmup_s=1.0,
            seed=1,
            clubs=1,
            started_epoch_s=time.time(),
            started_monotonic_s=time.monotonic(),
            request=request,
        )
        _run([sys.executable, "-m", "dbz.load.generator"], core, {ENVIRONMENT_KEY: spec.to_json()})
        record = read_record(folder)
        counts = [
            latency.count for series, latency in latencies(record, record.window).items() if series.kind == "http"
        ]
        return sum(counts) / seconds


def _run(command: list[str], core: int, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [*pinned(core), *command],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"no {pattern} in:\n{text[-2000:]}")
    return match[1]
