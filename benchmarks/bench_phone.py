"""What 1,000 phones in one worker cost the generator, and what the care of their app saves its server.

First the profile `phone` with 1,000 phones in one process, on this machine's network and on networks of their own: the
lag of the event loop and the worker's share of a core. The server answers as well as it can beside them.
`bench_network.py` has what shaping costs an exchange, and how true it is.

Then the profile with all care of the app, and without each. Each row is a load of its own against a fresh embedded
stack, with the same seed: `dbz load phone --without … --each`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from dbz.report.words.care import CARE_COLUMNS, care_rows
from dbz.runs.schema import CareFigures

PHONES = os.environ.get("BENCH_PHONES", "150")
SECONDS = os.environ.get("BENCH_SECONDS", "30")
MANY_PHONES = os.environ.get("BENCH_MANY_PHONES", "1000")
NETWORKS = "wifi=60%,lte=30%,3g=10%"
CARE = "debounce,etag,images,window,cache"


def main() -> None:
    """Run the loads, and print what they were."""
    print(f"{MANY_PHONES} phones in one worker, {SECONDS} s")
    print(f"{'':10}{'requests/s':>14}{'lag p99':>12}{'of a core':>12}{'us a request':>15}")
    for name, options in (("plain", []), ("shaped", ["--network", NETWORKS])):
        print(worker_row(name, loaded(MANY_PHONES, "--workers", "1", "--budgets", "none", *options)))
    care = [
        CareFigures.model_validate(one)
        for one in loaded(PHONES, "--each", "--budgets", "service", "--without", CARE)["care"]
    ]
    print(f"\n{PHONES} phones, {SECONDS} s each")
    for row in (CARE_COLUMNS, *care_rows(care)):
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


def worker_row(name: str, run: dict[str, Any]) -> str:
    """What a load was for its one worker."""
    seconds = run["window"]["end_s"] - run["window"]["start_s"]
    per_s = sum(one["count"] for one in run["operations"] if one["kind"] == "http") / seconds
    generator = run["generator"]
    core = generator["cpu_percent"] / 100
    return (
        f"{name:10}{per_s:>14.0f}{generator['lag_ms_p99']:>9.1f} ms{generator['cpu_percent']:>10.1f} %"
        f"{core / per_s * 1e6:>15.0f}"
    )


if __name__ == "__main__":
    main()
