"""The load tools that are compared, each run for a few seconds: what they completed in a second, by their own count."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from http_server import pinned
from live_view import shown

from dbz.config.load.profile import SERVICE_HEADER
from dbz.load.spec import ENVIRONMENT_KEY, AdHocRequest, GeneratorRole, GeneratorSpec, ProcessEnd
from dbz.runs.aggregate import latencies
from dbz.runs.storage.folder import RunFolder, create_run_folder
from dbz.runs.storage.reading import read_record

CONNECTIONS = 32
OPEN_USERS = 500
"""As many as `dbz load URL --rate` has when nobody says more."""
_PATIENCE_S = 60
_LIVE_SETTLE_S = 3.0
_GENERATOR = (sys.executable, "-m", "dbz.load.generator")

_FAST_HTTP_USER = """
from locust import FastHttpUser, constant, task
class Peer(FastHttpUser):
    wait_time = constant(0)
    @task
    def get(self):
        self.client.get("/")
"""


_DBZ_TASK = """
from dbz.users import HttpUser, constant, task
class Reader(HttpUser):
    wait_time = constant(0)
    @task
    def get(self):
        self.client.get("/")
"""


class Sample(NamedTuple):
    """Completed requests a second, and the share of one core that the load tool got for it."""

    rate_per_s: float
    share: float

    @property
    def full_core(self) -> float:
        """Requests a second for a whole core."""
        return self.rate_per_s / self.share


class Open(NamedTuple):
    """What became of the arrivals of an open load."""

    share: float
    """Of one core, that the generator got."""
    begun: int
    answered: int
    lost: int
    """Never begun though due, or failed."""
    found: dict[str, float]
    """`p50_ms`, `p99_ms` and `p99.9_ms` of the lateness, `bytes` of memory and how many of them came while it ran."""


Peer = Callable[[str, int, int], Sample]
"""Takes a URL, a duration in seconds, and the core to run on."""


def dbz(url: str, seconds: int, core: int) -> Sample:
    """dbz's own generator process, as `dbz load URL --users 32` starts it, recording everything."""
    return generate(url, seconds, core, AdHocRequest(url))


def dbz_task(url: str, seconds: int, core: int) -> Sample:
    """The same with users of a Locust file, whose task makes the request."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "locustfile.py"
        scenario.write_text(_DBZ_TASK)
        return generate(url, seconds, core, scenario=str(scenario))


def open_load(url: str, rate_per_s: float, seconds: int, core: int) -> Open:
    """dbz as `dbz load URL --rate` starts it; what the record has of all arrivals."""
    with tempfile.TemporaryDirectory() as name:
        folder = create_run_folder(Path(name), "run")
        terms = {"request": AdHocRequest(url), "users": OPEN_USERS, "rate_per_s": rate_per_s}
        program = [sys.executable, str(Path(__file__).with_name("http_open.py"))]
        text, share = _generate(folder, url, seconds, core, program=program, **terms)
        record = read_record(folder)
        lines = [line for worker in record.workers.values() for line in worker]
        of_http = [one for one in record.intervals if one.series.kind == "http"]
        return Open(
            share,
            sum(line["begun"] for line in lines),
            sum(len(one.histogram) for one in of_http if not one.series.failed),
            sum(line.get("dropped", 0) for line in lines)
            + sum(len(one.histogram) for one in of_http if one.series.failed),
            json.loads(text.strip().splitlines()[-1]),
        )


def fast_http_user(url: str, seconds: int, core: int) -> Sample:
    """Locust with FastHttpUser."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "locustfile.py"
        scenario.write_text(_FAST_HTTP_USER)
        options = ["-f", str(scenario), "--headless", "--json", "-u", str(CONNECTIONS), "-r", str(CONNECTIONS)]
        text, share = _run([sys.executable, "-m", "locust", *options, "-t", f"{seconds}s", "-H", url.rstrip("/")], core)
    stats = json.loads(text)[0]
    seconds_of_load = max(stats["last_request_timestamp"] - stats["start_time"], 1e-9)
    return Sample(stats["num_requests"] / seconds_of_load, share)


def hey(url: str, seconds: int, core: int) -> Sample:
    """hey."""
    text, share = _run(["hey", "-z", f"{seconds}s", "-c", str(CONNECTIONS), "-cpus", "1", url], core)
    return Sample(float(_found(r"Requests/sec:\s+([\d.]+)", text)), share)


def autocannon(url: str, seconds: int, core: int) -> Sample:
    """autocannon."""
    text, share = _run([autocannon_path() or "autocannon", "-c", str(CONNECTIONS), "-d", str(seconds), "-j", url], core)
    return Sample(float(json.loads(text[text.index("{") :])["requests"]["average"]), share)


def wrk(url: str, seconds: int, core: int) -> Sample:
    """wrk."""
    text, share = _run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url], core)
    return Sample(float(_found(r"Requests/sec:\s+([\d.]+)", text)), share)


def autocannon_path() -> str | None:
    """Where autocannon is: on the path, or installed beside the benchmarks with `npm install autocannon`."""
    local = Path(__file__).parent / "node_modules" / ".bin" / "autocannon"
    return shutil.which("autocannon") or (str(local) if local.exists() else None)


def present() -> dict[str, Peer]:
    """The peers that are installed here."""
    peers: dict[str, Peer] = {"dbz": dbz, "dbz, a task": dbz_task, "FastHttpUser": fast_http_user}
    if shutil.which("hey"):
        peers["hey"] = hey
    if autocannon_path():
        peers["autocannon"] = autocannon
    if shutil.which("wrk"):
        peers["wrk"] = wrk
    return peers


def recording(url: str, core: int) -> dict[str, float]:
    """The share of a busy generator's CPU that goes into recording samples, and into writing them each second."""
    with tempfile.TemporaryDirectory() as name:
        scenario = str(Path(__file__).parent / "http_recording.py")
        text, _ = _generate(create_run_folder(Path(name), "run"), url, 6, core, scenario=scenario)
    shares: dict[str, float] = json.loads(text.strip().splitlines()[-1])
    return shares


def live_view(url: str, seconds: int) -> float:
    """CPU of `dbz load` with its live view on a terminal, in ratio to that of the generator which it shows."""
    arguments = [url, "--users", str(CONNECTIONS), "--duration", f"{seconds}s"]
    return shown(arguments, seconds - 1, _LIVE_SETTLE_S).of_started


def generate(url: str, seconds: int, core: int, request: AdHocRequest | None = None, scenario: str = "") -> Sample:
    """Requests a second of one generator process, and its share of the core."""
    with tempfile.TemporaryDirectory() as name:
        folder = create_run_folder(Path(name), "run")
        _, share = _generate(folder, url, seconds, core, request=request, scenario=scenario)
        record = read_record(folder)
        found = latencies(record, record.window).items()
        return Sample(sum(latency.count for series, latency in found if series.kind == "http") / seconds, share)


def _generate(
    folder: RunFolder, url: str, seconds: int, core: int, program: Sequence[str] = _GENERATOR, **terms: Any
) -> tuple[str, float]:
    """Run one generator process on a core with `terms` of its spec; what it printed, and its share of the core."""
    usual = {
        "role": GeneratorRole.LOCAL,
        "worker": 0,
        "workers": 1,
        "scenario": "",
        "target": url.rstrip("/"),
        "users": CONNECTIONS,
        "rate_per_s": None,
        "duration_s": seconds,
        "warmup_s": 1.0,
        "seed": 1,
        "clubs": 1,
        "started_epoch_s": time.time(),
        "started_monotonic_s": time.monotonic(),
        "service_header": SERVICE_HEADER,
    }
    spec = GeneratorSpec(folder=str(folder.path), **{**usual, **terms})
    return _run([*program], core, {ENVIRONMENT_KEY: spec.to_json()})


def _run(command: list[str], core: int, env: dict[str, str] | None = None) -> tuple[str, float]:
    """What a program printed, and its share of the core in the second half of its life."""
    process = subprocess.Popen(
        [*pinned(core), *command],
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen: list[tuple[float, float]] = []
    watching = threading.Thread(target=_watch, args=(process.pid, seen))
    watching.start()
    text, errors = process.communicate(timeout=_PATIENCE_S)
    watching.join()
    if process.returncode not in (0, ProcessEnd.COMPLETE):
        raise SystemExit(f"{command[0]} ended with code {process.returncode}:\n{errors[-2000:]}")
    (from_s, from_cpu_s), (to_s, to_cpu_s) = seen[len(seen) // 2], seen[-3]
    return text, (to_cpu_s - from_cpu_s) / (to_s - from_s)


def _watch(pid: int, seen: list[tuple[float, float]]) -> None:
    while True:
        try:
            seen.append((time.monotonic(), cpu_s(pid)))
        except psutil.Error:
            return
        time.sleep(0.1)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its children so far."""
    process = psutil.Process(pid)
    if process.status() == psutil.STATUS_ZOMBIE:
        raise psutil.NoSuchProcess(pid)
    return sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)])


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"no {pattern} in:\n{text[-2000:]}")
    return match[1]
