"""Closed-loop HTTP GET of 2 KB, keep-alive, 32 connections, and an open load of 20,000 arrivals a second; one core for
the load tool and one for the server.

dbz is there twice: with a URL, and with a Locust file whose task makes the request. The tools run one after the other,
several rounds, and a ratio is the median of the rounds' ratios, of full cores: a rate divided by the share of the core
that the tool got. On a machine that does other things as well that is the fairer figure.
"""

from __future__ import annotations

import os
import statistics
import sys

from http_peers import CONNECTIONS, Open, Sample, cpu_s, live_view, open_load, present, recording
from http_server import BODY_BYTES, serving

SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
RATE_PER_S = float(os.environ.get("BENCH_RATE", "20000"))
OPEN_SECONDS = 3 * SECONDS
_BUSY = 0.9
OURS = ("dbz", "dbz, a task")


def main() -> None:
    """Measure, print the table and the ratios."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 0]
    peers = {name: peer for name, peer in present().items() if name in OURS or name in sys.argv[1:] or not sys.argv[1:]}
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
        opened = open_load(url, RATE_PER_S, OPEN_SECONDS, cores[0])
        shares, viewing = recording(url, cores[0]), live_view(url, SECONDS + 2)
    print(
        f"{'':14}{'requests/s':>12}{'of a core':>11}{'a full core':>13}{'dbz / it':>10}{'task / it':>11}{'server':>8}"
    )
    for name, found in samples.items():
        print(row(name, found, [samples[ours] for ours in OURS], server_busy[name]))
    print("ratios are of full cores")
    if any(busy > _BUSY for busy in server_busy.values()):
        print("where the server is above 90 % it was the limit: that tool could have done more")
    say_of_open(opened)
    print("of the generator's CPU, at its limit (to stay under 15 % together):")
    print(f"  recording {shares['recording']:.1%}, writing {shares['writing']:.1%}, live view {viewing:.1%}")


def row(name: str, found: list[Sample], ours: list[list[Sample]], server_busy: float) -> str:
    """One tool's line: rate, share of the core, rate for a full core, both ways of dbz in ratio to that, the server."""
    rate = statistics.median(one.rate_per_s for one in found)
    share = statistics.median(one.share for one in found)
    full = statistics.median(one.full_core for one in found)
    url, task = (statistics.median(a.full_core / b.full_core for a, b in zip(way, found, strict=True)) for way in ours)
    return f"{name:14}{rate:>12,.0f}{share:>11.0%}{full:>13,.0f}{url:>10.2f}{task:>11.2f}{server_busy:>8.0%}"


def say_of_open(opened: Open) -> None:
    """The open load: its lateness, what became of its arrivals, its memory."""
    found = opened.found
    print(f"an open load of {RATE_PER_S:,.0f} arrivals/s for {OPEN_SECONDS} s took {opened.share:.0%} of the core")
    print(
        f"  begun late by {found['p50_ms']:.2f} ms (p50), {found['p99_ms']:.2f} ms (p99; to stay under 2), "
        f"{found['p99.9_ms']:.2f} ms (p99.9)"
    )
    print(f"  {opened.begun:,} arrivals begun, {opened.answered:,} answered, {opened.lost:,} lost (to be 0)")
    print(f"  {found['bytes'] / 1e6:.0f} MB, grown by {found['grown_bytes'] / 1e6:.1f} MB while it ran")


if __name__ == "__main__":
    main()
