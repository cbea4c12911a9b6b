"""What 1,000 phones in one worker cost the generator, and what the care of their app saves its server.

First the profile `phone` with 1,000 phones in one process, on this machine's network and on networks of their own, in
turn: the lag of the event loop, the worker's share of a core, and what shaping adds to the CPU of a request. The server
answers as well as it can beside them. `bench_network.py` has what shaping costs a bare request, and how true it is.

Then the profile with all care of the app, and without each. Each row is a load of its own against a fresh embedded
stack, with the same seed: `dbz load phone --without … --each`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from dbz.report.words.care import CARE_COLUMNS, care_rows
from dbz.runs.schema import CareFigures

PHONES = os.environ.get("BENCH_PHONES", "150")
SECONDS = os.environ.get("BENCH_SECONDS", "30")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "1"))
PARTS = os.environ.get("BENCH_PHONE_PARTS", "worker,care").split(",")
MANY_PHONES = os.environ.get("BENCH_MANY_PHONES", "1000")
NETWORKS = "wifi=60%,lte=30%,3g=10%"
CARE = "debounce,etag,images,window,cache"


def main() -> None:
    """Run the loads, and print what they were."""
    if "worker" in PARTS:
        worker()
    if "care" in PARTS:
        care()


def worker() -> None:
    """What phones cost one worker, plain and shaped in turn."""
    print(f"{MANY_PHONES} phones in one worker, {SECONDS} s")
    print(f"{'':10}{'requests/s':>14}{'lag p99':>12}{'of a core':>12}{'us a request':>15}")
    added = []
    for _ in range(ROUNDS):
        plain_us, shaped_us = (
            worker_row(name, loaded(MANY_PHONES, "--workers", "1", "--budgets", "none", *options))
            for name, options in (("plain", []), ("shaped", ["--network", NETWORKS]))
        )
        added.append(shaped_us / plain_us - 1)
    print(f"shaping adds {statistics.median(added):+.1%} CPU to a request")


def care() -> None:
    """What each care of the app saves its server."""
    rows = [
        CareFigures.model_validate(one)
        for one in loaded(PHONES, "--each", "--budgets", "service", "--without", CARE)["care"]
    ]
    print(f"\n{PHONES} phones, {SECONDS} s each")
    for row in (CARE_COLUMNS, *care_rows(rows)):
        print(f"{row[0]:10}" + "".join(f"{cell:>22}" for cell in row[1:]))


def loaded(phones: str, *options: str) -> dict[str, Any]:
    """The `run.json` of a load with so many phones; what dbz said when there is none."""
    command = [str(Path(sys.executable).with_name("dbz")), "load", "phone", "--users", phones, "--json"]
    command += ["--duration", f"{SECONDS}s", "--no-live", *options]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, "--out", folder], capture_output=True, text=True)
    if not done.stdout.startswith("{"):
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr}")
    run: dict[str, Any] = json.loads(done.stdout)
    return run


def worker_row(name: str, run: dict[str, Any]) -> float:
    """Print what a load was for its one worker; its CPU for a request, in microseconds."""
    seconds = run["window"]["end_s"] - run["window"]["start_s"]
    per_s = sum(one["count"] for one in run["operations"] if one["kind"] == "http") / seconds
    generator = run["generator"]
    us = generator["cpu_percent"] / 100 / per_s * 1e6
    lag = f"{generator['lag_ms_p99']:>9.1f} ms"
    print(f"{name:10}{per_s:>14.0f}{lag}{generator['cpu_percent']:>10.1f} %{us:>15.0f}", flush=True)
    return us


if __name__ == "__main__":
    main()
