"""Members of the Socket.IO benchmark in one gevent process; two other modules bring the client."""

# ruff: noqa: E402 the standard library is patched before anything else is imported
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import gevent
import psutil
from gevent.pool import Pool

TEXT = "Anyone for a game at seven?" * 6
CONNECTING = 100


class Member(NamedTuple):
    """What one connected member does."""

    say: Callable[[dict[str, Any]], Any]
    """Emits `say`, which reaches everybody."""
    ask: Callable[[dict[str, Any]], Any]
    """Emits `ask` and waits for the acknowledgement."""


Join = Callable[[str, int], Member]
"""Connects member number n to a URL."""
Latencies = Callable[[str], tuple[int, float, float]]
"""Count, median and 95th percentile in ms of what was measured of `room` or `acks`."""


def run(join: Join, announce: Callable[[str, int], None], latencies_ms: Latencies) -> None:
    """Connect, do the work that the command line names, and print the figures as JSON.

    `announce` is told (id, member) before each message to everybody.
    """
    work, url, members = sys.argv[1], sys.argv[2], int(sys.argv[3])
    rate, seconds = int(sys.argv[4]), float(sys.argv[5])
    process = psutil.Process()
    gc.collect()
    before_bytes = process.memory_info().rss
    began_s = time.monotonic()
    joined = list(Pool(CONNECTING).imap(lambda number: join(url, number), range(members)))
    connect_s = time.monotonic() - began_s
    gevent.sleep(0.3)
    gc.collect()
    gc.freeze()
    grown_bytes = process.memory_info().rss - before_bytes
    cpu_s = time.process_time()
    expected = ask(joined, seconds) if work == "acks" else talk(joined, announce, rate, seconds)
    cpu_s = time.process_time() - cpu_s
    received, p50_ms, p95_ms = latencies_ms(work)
    figures = {
        "connect_s": connect_s,
        "cpu_us": cpu_s / max(received, 1) * 1e6,
        "p50_ms": p50_ms,
        "p95_ms": p95_ms,
        "kb_per_member": grown_bytes / 1024 / members,
        "received": received,
        "expected": expected,
    }
    print(json.dumps(figures), flush=True)


def talk(joined: list[Member], announce: Callable[[str, int], None], rate: int, seconds: float) -> int:
    """Let one member after the other speak to all; how many messages are to arrive."""
    start_s, members = time.monotonic(), len(joined)
    for number in range(int(rate * seconds)):
        gevent.sleep(max(start_s + number / rate - time.monotonic(), 0.0))
        announce(str(number), number % members)
        joined[number % members].say({"at": time.monotonic(), "id": str(number), "text": TEXT})
    gevent.sleep(0.5)
    return int(rate * seconds) * members


def ask(joined: list[Member], seconds: float) -> int:
    """Let all members ask one thing after the other, each when it was answered; how many they asked."""
    until_s, asked = time.monotonic() + seconds, [0] * len(joined)

    def go_on(number: int) -> None:
        while time.monotonic() < until_s:
            asked[number] += 1
            joined[number].ask({"id": str(asked[number]), "text": TEXT})

    gevent.joinall([gevent.spawn(go_on, number) for number in range(len(joined))])
    return sum(asked)
