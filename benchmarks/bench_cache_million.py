"""A million documents warmed in flat memory, and a million keys invalidated while somebody reads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import redis
from cache_stack import fill, running_stores

DOCUMENTS = int(os.environ.get("BENCH_DOCUMENTS", "1000000"))
SLOW_US = 200
DBZ = [sys.executable, "-m", "dbz.cli.main", "cache"]


def warm(folder: Path, *where: str) -> None:
    """Print the warm-up's memory, quarter by quarter."""
    seen: list[float] = []
    begin = time.monotonic()
    with subprocess.Popen(
        [*DBZ, "warm", "--config", "w.yaml", *where],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        program = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                seen.append(program.memory_info().rss / 1e6)
            except psutil.Error:
                break
            time.sleep(0.1)
        assert process.stdout is not None
        last = process.stdout.read().strip().splitlines()[-1]
    quarter = max(1, len(seen) // 4)
    peaks = "  ".join(
        f"{max(seen[at : at + quarter]):.0f}" for at in range(0, 4 * quarter, quarter) if seen[at : at + quarter]
    )
    print(f"{last}   [{time.monotonic() - begin:.0f} s]")
    print(f"resident memory of the warm-up, MB, peak of each quarter of the time:  {peaks}", flush=True)


def held_up_ms(client: redis.Redis, until: subprocess.Popen[str] | float) -> list[float]:
    """Times of GETs, one after the other, until a process has ended or a clock reading."""
    client.set("foreground", "x" * 500)
    times = []
    while until.poll() is None if isinstance(until, subprocess.Popen) else time.monotonic() < until:
        begin = time.perf_counter()
        client.get("foreground")
        times.append((time.perf_counter() - begin) * 1000)
        time.sleep(0.0005)  # leave the cores to the servers
    return times


def invalidate(redis_url: str) -> None:
    """Print how long GETs take while all keys are invalidated, beside those while nothing happens."""
    with redis.Redis.from_url(redis_url) as client:
        before = client.dbsize()
        quiet = held_up_ms(client, time.monotonic() + 10)
        command = [*DBZ, "invalidate", "doc:*", "--yes", "--redis-url", redis_url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            busy = held_up_ms(client, process)
            assert process.stdout is not None
            print(process.stdout.read().strip().splitlines()[-1], f"(of {before:,})")
        slow_ms = slowest_command_ms(client)
    for what, times in (("while nothing happens", quiet), ("while it goes on", busy)):
        ordered = sorted(times)
        shown = "  ".join(
            f"p{100 * share:g} {ordered[int(share * (len(ordered) - 1))]:.2f}" for share in (0.5, 0.99, 0.999)
        )
        print(f"GET {what:22} {len(times):7,} times, ms:  {shown}  max {ordered[-1]:.2f}")
    longest = f"{slow_ms:.2f} ms" if slow_ms else f"under {SLOW_US / 1000:.2f} ms"
    print(f"longest single command that Redis itself carried out meanwhile: {longest}")


def slowest_command_ms(client: redis.Redis) -> float:
    """The longest execution in Redis's slow log, without the wire and the wait for a core; 0 when all took less."""
    return max((entry["duration"] / 1000 for entry in client.slowlog_get(128)), default=0.0)


def main() -> None:
    """Fill, warm, invalidate."""
    with running_stores() as (mongo_uri, redis_url, folder):
        fill(mongo_uri, DOCUMENTS)
        warm(folder, "--mongo-uri", mongo_uri, "--redis-url", redis_url)
        with redis.Redis.from_url(redis_url) as client:
            client.slowlog_reset()
            client.config_set("slowlog-log-slower-than", SLOW_US)
        invalidate(redis_url)


if __name__ == "__main__":
    main()
