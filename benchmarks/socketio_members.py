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
from typing import Any

import gevent
import psutil
from gevent.pool import Pool

TEXT = "Anyone for a game at seven?" * 6
CONNECTING = 100
Join = Callable[[str, int], Callable[[dict[str, Any]], Any]]
"""Connects member number n to a URL; returns what emits `say` for it."""


def run(join: Join, announce: Callable[[str, int], None], latencies_ms: Callable[[], tuple[int, float, float]]) -> None:
    """Connect, let one member after the other speak, and print the figures as JSON.

    `announce` is told (id, member) before each message; `latencies_ms` gives count, median and 95th percentile.
    """
    url, members, rate, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    process = psutil.Process()
    gc.collect()
    before_bytes = process.memory_info().rss
    began_s = time.monotonic()
    says = list(Pool(CONNECTING).imap(lambda number: join(url, number), range(members)))
    connect_s = time.monotonic() - began_s
    gevent.sleep(0.3)
    gc.collect()
    gc.freeze()
    grown_bytes = process.memory_info().rss - before_bytes
    cpu_s, start_s = time.process_time(), time.monotonic()
    for number in range(int(rate * seconds)):
        gevent.sleep(max(start_s + number / rate - time.monotonic(), 0.0))
        announce(str(number), number % members)
        says[number % members]({"at": time.monotonic(), "id": str(number), "text": TEXT})
    gevent.sleep(0.5)
    cpu_s = time.process_time() - cpu_s
    received, p50_ms, p95_ms = latencies_ms()
    figures = {
        "connect_s": connect_s,
        "cpu_us": cpu_s / max(received, 1) * 1e6,
        "p50_ms": p50_ms,
        "p95_ms": p95_ms,
        "kb_per_member": grown_bytes / 1024 / members,
        "received": received,
        "expected": int(rate * seconds) * members,
    }
    print(json.dumps(figures), flush=True)
