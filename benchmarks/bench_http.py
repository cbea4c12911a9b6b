"""Closed-loop HTTP GET of 2 KB, keep-alive, 32 connections, one core for the load tool and one for the server.

The tools run one after the other, several rounds, and a ratio is the median of the rounds' ratios. "A core" is the rate
divided by the share of the core that the tool got: on a machine that does other things as well it is the fairer figure.
"""

from __future__ import annotations

import os
import statistics
import sys

from http_peers import CONNECTIONS, Sample, cpu_s, live_view, present, recording
from http_server import BODY_BYTES, serving

SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
_BUSY = 0.9


def main() -> None:
    """Measure, print the table and the ratios."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 0]
    peers = {
        name: peer for name, peer in present().items() if name == "dbz" or name in sys.argv[1:] or not sys.argv[1:]
    }
    samples: dict[str, list[Sample]] = {name: [] for name in peers}
    server_busy: dict[str, float] = {}
    with serving(cores[-1]) as (url, server, child):
        print(
            f"\nGET of {BODY_BYTES:,} bytes, {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s, from {server}"
        )
        for _ in range(ROUNDS):
            for name, peer in peers.items():
                before_s = cpu_s(child.pid)
                samples[name].append(peer(url, SECONDS, cores[0]))
                server_busy[name] = (cpu_s(child.pid) - before_s) / SECONDS
        shares, viewing = recording(url, cores[0]), live_view(url, SECONDS + 2)
    print(f"{'':14}{'requests/s':>12}{'of a core':>11}{'a full core':>13}{'dbz / it':>10}{'a core':>8}{'server':>8}")
    for name, found in samples.items():
        print(row(name, found, samples["dbz"], server_busy[name]))
    if any(busy > _BUSY for busy in server_busy.values()):
        print("where the server is above 90 % it was the limit: that tool could have done more")
    print("of the generator's CPU, at its limit (to stay under 15 % together):")
    print(f"  recording {shares['recording']:.1%}, writing {shares['writing']:.1%}, live view {viewing:.1%}")


def row(name: str, found: list[Sample], ours: list[Sample], server_busy: float) -> str:
    """One tool's line: rate, share of the core, rate for a full core, dbz in ratio to it (both), the server's load."""
    rate = statistics.median(one.rate_per_s for one in found)
    share = statistics.median(one.share for one in found)
    full = statistics.median(one.rate_per_s / one.share for one in found)
    ratio = statistics.median(a.rate_per_s / b.rate_per_s for a, b in zip(ours, found, strict=True))
    full_ratio = statistics.median(
        a.rate_per_s / a.share * b.share / b.rate_per_s for a, b in zip(ours, found, strict=True)
    )
    return f"{name:14}{rate:>12,.0f}{share:>11.0%}{full:>13,.0f}{ratio:>10.2f}{full_ratio:>8.2f}{server_busy:>8.0%}"


if __name__ == "__main__":
    main()
