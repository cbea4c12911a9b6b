"""The posts list in the first ten seconds after a start: phone users on a cold cache, and on a warmed one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from dbz.stack import StackOptions, start_stack

SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
USERS = int(os.environ.get("BENCH_USERS", "300"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CLUBS = 10
OPERATIONS = ("GET /api/posts", "GET /api/games", "GET /api/clubs/{id}", "GET /api/me")


def measured(warm: bool, folder: Path) -> dict[str, float]:
    """The p95 of each operation in ms, users all coming at once to a server that has just started."""
    options = StackOptions(clubs=CLUBS, warmup="none")
    with start_stack(options, folder / "logs") as stack:
        if warm:
            where = ["--redis-url", stack.redis_url, "--mongo-uri", stack.mongo_uri]
            subprocess.run([sys.executable, "-m", "dbz.cli.main", "cache", "warm", "--rate", "max", *where], check=True)
        load = ["load", "api", "--target", stack.url, "--users", str(USERS), "--duration", f"{SECONDS}s"]
        command = [
            sys.executable,
            "-m",
            "dbz.cli.main",
            *load,
            "--warmup",
            "0s",
            "--budgets",
            "none",
            "--no-live",
            "--json",
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    operations = {one["name"]: one["latency_ms"] for one in json.loads(done.stdout)["operations"]}
    return {name: operations[name]["p95"] for name in OPERATIONS if name in operations}


def main() -> None:
    """Measure both, each on a stack of its own, several rounds in turn, and print the medians."""
    found: dict[tuple[bool, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="dbz-bench-") as name:
        for _ in range(ROUNDS):
            for warm in (False, True):
                for operation, p95_ms in measured(warm, Path(name)).items():
                    found.setdefault((warm, operation), []).append(p95_ms)
    print(f"{USERS} phone users of {CLUBS} clubs in the first {SECONDS} s after a start; p95, ms, median of {ROUNDS}")
    print(f"{'':20} {'cold':>8} {'warm':>8} {'cold / warm':>12}   each round, cold and warm")
    for operation in OPERATIONS:
        cold, warmed = found.get((False, operation), []), found.get((True, operation), [])
        if cold and warmed:
            ratio = median(cold) / median(warmed)
            rounds = "  ".join(f"{one:.0f} {other:.0f}" for one, other in zip(cold, warmed, strict=False))
            print(f"{operation:20} {median(cold):8.1f} {median(warmed):8.1f} {ratio:12.1f}   {rounds}")


if __name__ == "__main__":
    main()
