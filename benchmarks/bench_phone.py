"""What the care of a phone app saves its server: the profile `phone` with all of it, and without each.

Each row is a load of its own against a fresh embedded stack, with the same seed. Requests, bytes of bodies and CPU of
the server are those of the judged part; p95 is of all requests, and of the screens.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PHONES = os.environ.get("BENCH_PHONES", "150")
SECONDS = os.environ.get("BENCH_SECONDS", "30")
CARE = ("debounce", "etag", "images", "window", "cache")
Row = tuple[float, float, float, float, float]
"""Requests a second, megabytes a second, CPU of the server in per cent of its cores, p95 of requests and of screens in
milliseconds."""


def main() -> None:
    """Run the loads, and print a table with the ratio to the load with all care."""
    print(f"{PHONES} phones, {SECONDS} s each")
    print(f"{'without':10}{'requests/s':>16}{'MB/s':>16}{'server CPU %':>16}{'p95 ms':>16}{'screens p95 ms':>16}")
    whole = row([])
    show("nothing", whole, whole)
    for care in CARE:
        show(care, row([care]), whole)
    show("all", row(list(CARE)), whole)


def row(without: list[str]) -> Row:
    """The figures of one load."""
    command = [
        str(Path(sys.executable).with_name("dbz")),
        "load",
        "phone",
        "--users",
        PHONES,
        "--duration",
        f"{SECONDS}s",
        "--json",
    ]
    command += ["--budgets", "service", *(["--without", ",".join(without)] if without else [])]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, "--out", folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    run = json.loads(done.stdout)
    requests = [one for one in run["operations"] if one["kind"] == "http"]
    seconds = run["window"]["end_s"] - run["window"]["start_s"]
    sent = sum(one["answers"]["bytes"] * one["answers"]["count"] for one in requests if one["answers"])
    budgets = {one["name"]: one for one in run["budgets"]}
    return (
        sum(one["rate_per_s"] for one in requests),
        sent / 1e6 / seconds,
        (run["server"] or {}).get("cpu_percent") or 0.0,
        _value(budgets, "api_response_time"),
        _value(budgets, "page_load_time"),
    )


def _value(budgets: dict[str, Any], name: str) -> float:
    value = budgets[name]["value"]
    return float("inf") if value is None else float(value)


def show(name: str, figures: Row, whole: Row) -> None:
    """One row: each figure, and how many times that of the load with all care it is."""
    cells = (
        f"{one:,.4g} ({one / base:.2f}x)" if base else f"{one:,.4g}" for one, base in zip(figures, whole, strict=True)
    )
    print(f"{name:10}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
