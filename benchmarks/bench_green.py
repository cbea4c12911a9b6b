"""Does CI stay green on unchanged code, and turn red when one endpoint becomes slower?

Each job is `dbz load … --repeat 5 --baseline DIR` as CI runs it, against the embedded stack, with the runs of the job
before it as its baseline. All requests pass a proxy that keeps each for 5 ms. Unchanged jobs come first; then the proxy
keeps the posts list longer by a share of its median. Ctrl-C ends it with what was counted so far.

`BENCH_GREEN_JOBS` unchanged jobs, then `BENCH_GREEN_SLOW_JOBS` slowed ones by `BENCH_GREEN_PERCENT`; `BENCH_SECONDS`
is the judged part of a run. A job takes about 45 s.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dbz.children import Child, free_port, wait_until

JOBS = int(os.environ.get("BENCH_GREEN_JOBS", "20"))
SLOW_JOBS = int(os.environ.get("BENCH_GREEN_SLOW_JOBS", "5"))
PERCENT = float(os.environ.get("BENCH_GREEN_PERCENT", "15"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
RUNS = 5
# Sixteen users with pauses of 10 ms keep the processors awake: nearly idle ones take longer to wake up than to answer.
LATENCY_MS = 5.0
SLOWED = "/api/posts?limit"
OPERATION = "GET /api/posts"
DBZ = str(Path(sys.executable).with_name("dbz"))
SCENARIO = """\
from dbz.users import HttpUser, between, task

class Reader(HttpUser):
    wait_time = between(0.005, 0.015)

    def on_start(self):
        user = {"username": "user%04d" % self.seat, "password": "demo"}
        token = self.client.post("/api/auth/login", json=user, name="/api/auth/login").json()["access_token"]
        self.client.headers["Authorization"] = "Bearer " + token

    @task(4)
    def posts(self):
        self.client.get("/api/posts", params={"limit": 10}, name="/api/posts")

    @task(3)
    def games(self):
        self.client.get("/api/games", params={"limit": 10}, name="/api/games")

    @task(2)
    def search(self):
        self.client.get("/api/posts", params={"search": "training"}, name="/api/posts?search")

    @task(2)
    def me(self):
        self.client.get("/api/me", name="/api/me")
"""


class Jobs:
    """CI jobs in one folder: each one's runs are the baseline of the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._scenario = folder / "reader.py"
        self._scenario.write_text(SCENARIO)
        self._count = 0
        self.baseline: Path | None = None

    def run(self, url: str) -> tuple[int, dict[str, Any]]:
        """The exit code of a job, and the conclusion of its last run."""
        out = self._folder / f"job-{self._count}"
        self._count += 1
        options = ["--users", "16", "--duration", f"{SECONDS}s", "--warmup", "1s", "--budgets", "none"]
        options += ["--target", url, "--repeat", str(RUNS), "--out", str(out), "--no-live", "--json"]
        options += ["--baseline", str(self.baseline)] if self.baseline else []
        command = [DBZ, "load", str(self._scenario), *options]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True)
        if not done.stdout:
            raise SystemExit(f"{' '.join(command)} ended with code {done.returncode}:\n{done.stderr}")
        self.baseline = out if done.returncode == 0 else self.baseline
        return done.returncode, json.loads(done.stdout)


@contextmanager
def stack(folder: Path) -> Iterator[int]:
    """The port of the embedded stack, as `dbz serve` runs it."""
    port = free_port()
    env = {"DBZ_STATE_DIR": str(folder / "state")}
    with Child("serve", [DBZ, "serve", "--port", str(port)], log=folder / "serve.log", env=env) as child:
        wait_until(lambda: "Load it" in (folder / "serve.log").read_text(), child, deadline_s=60, what="dbz serve")
        yield port


@contextmanager
def proxy(folder: Path, target_port: int, extra_ms: float) -> Iterator[str]:
    """The URL of a proxy that makes the slowed path slower."""
    port = free_port()
    script = str(Path(__file__).with_name("green_proxy.py"))
    argv = [sys.executable, script, str(port), str(target_port), str(LATENCY_MS), SLOWED, str(extra_ms)]
    with Child("proxy", argv, log=folder / "proxy.log") as child:
        wait_until(lambda: _listens(port), child, deadline_s=10, what="the proxy")
        yield f"http://127.0.0.1:{port}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def told(number: int, code: int, run: dict[str, Any], began_s: float) -> None:
    """A line about a job, and why it is not green."""
    colour = {0: "green", 1: "RED"}.get(code, f"exit {code}")
    comparison, machine = run["comparison"] or {}, run["machine"] or {}
    found = comparison.get("sensitivity") or {}
    took = f"{time.monotonic() - began_s:.0f} s, others used {machine.get('others_percent')} %"
    finds = f", finds from {100 * found['typical']:.0f} % to {100 * found['worst']:.0f} %" if found else ""
    print(f"  {number:3} {colour:6} ({took}{finds})", flush=True)
    doubts = [f"left out: {len(comparison['left_out'])} runs"] if comparison.get("left_out") else []
    for reason in [*run["reasons"], *comparison.get("doubts", []), *doubts]:
        print(f"      {reason}", flush=True)


def series(jobs: Jobs, url: str, count: int, codes: list[int]) -> None:
    """Run jobs one after the other; what became of them is added to `codes`."""
    for number in range(1, count + 1):
        began_s = time.monotonic()
        code, run = jobs.run(url)
        codes.append(code)
        told(number, code, run, began_s)


def median_ms(run: dict[str, Any]) -> float:
    """The p50 of the operation that is slowed."""
    return next(one["latency_ms"]["p50"] for one in run["operations"] if one["name"] == OPERATION)


def main(folder: Path) -> int:
    """Run both series; 0 when all unchanged jobs were green and all slowed ones red."""
    unchanged: list[int] = []
    slowed: list[int] = []
    jobs = Jobs(folder)
    try:
        with stack(folder) as port:
            with proxy(folder, port, 0.0) as url:
                began_s = time.monotonic()
                code, run = jobs.run(url)
                print(f"the first baseline: {RUNS} runs of {SECONDS} s, p50 of {OPERATION} {median_ms(run):.2f} ms")
                told(0, code, run, began_s)
                print(f"{JOBS} jobs of unchanged code")
                series(jobs, url, JOBS, unchanged)
            extra_ms = PERCENT / 100 * median_ms(run)
            print(f"{SLOW_JOBS} jobs with {OPERATION} slower by {PERCENT:g} % ({extra_ms:.2f} ms)")
            with proxy(folder, port, extra_ms) as url:
                series(jobs, url, SLOW_JOBS, slowed)
    except KeyboardInterrupt:
        print("interrupted")
    print(
        f"\nunchanged: {unchanged.count(0)} of {len(unchanged)} green; slowed: {slowed.count(1)} of {len(slowed)} red"
    )
    return int(any(unchanged) or slowed.count(1) < len(slowed))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="dbz-bench-") as name:
        sys.exit(main(Path(name)))
