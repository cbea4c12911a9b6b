"""The posts list in the first ten seconds after a start: phone users on a cold cache, and on a warmed one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from dbz.stack import StackOptions, start_stack

SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
USERS = int(os.environ.get("BENCH_USERS", "300"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "2"))
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
    """Measure both, each on a stack of its own, the better of several rounds."""
    best: dict[bool, dict[str, float]] = {False: {}, True: {}}
    with tempfile.TemporaryDirectory(prefix="dbz-bench-") as name:
        for _ in range(ROUNDS):
            for warm in (False, True):
                for operation, p95_ms in measured(warm, Path(name)).items():
                    best[warm][operation] = min(p95_ms, best[warm].get(operation, p95_ms))
    print(
        f"{USERS} phone users of {CLUBS} clubs in the first {SECONDS} s after a start; p95, ms, the better of {ROUNDS}"
    )
    print(f"{'':20} {'cold':>8} {'warm':>8} {'cold / warm':>12}")
    for operation in OPERATIONS:
        cold, warm_ms = best[False].get(operation), best[True].get(operation)
        if cold and warm_ms:
            print(f"{operation:20} {cold:8.1f} {warm_ms:8.1f} {cold / warm_ms:12.1f}")


if __name__ == "__main__":
    main()
