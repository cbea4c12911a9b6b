"""Closed-loop HTTP GET of 2 KB, keep-alive, 32 connections, one core for the load tool and one for the server."""

from __future__ import annotations

import os
import statistics
import sys

import psutil
from http_peers import CONNECTIONS, present
from http_server import BODY_BYTES, serving

SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))


def main() -> None:
    """Measure, print the table and the ratios."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 0]
    only = sys.argv[1:]
    peers = {name: peer for name, peer in present().items() if not only or name in only}
    rates: dict[str, list[float]] = {name: [] for name in peers}
    busy: dict[str, list[float]] = {name: [] for name in peers}
    with serving(cores[-1]) as (url, server, child):
        print(
            f"GET of {BODY_BYTES:,} bytes, {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s, server: {server}"
        )
        for _ in range(ROUNDS):
            for name, peer in peers.items():
                before_s = cpu_s(child.pid)
                rates[name].append(peer(url, SECONDS, cores[0]))
                busy[name].append((cpu_s(child.pid) - before_s))
    for name, found in rates.items():
        print(
            f"  {name:14} {statistics.median(found):>10,.0f}/s  ({min(found):,.0f} to {max(found):,.0f}) server {statistics.median(busy[name]):.1f} s"
        )
    for name in peers:
        if name != "dbz" and "dbz" in rates:
            ratio = statistics.median(a / b for a, b in zip(rates["dbz"], rates[name], strict=True))
            print(f"  ratio dbz / {name}: {ratio:.2f}")


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its children so far."""
    process = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)])


if __name__ == "__main__":
    main()
