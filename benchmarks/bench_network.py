"""What a user's network does to time and bandwidth against what was asked for, and what shaping costs.

For each network with a name: the median of small requests on a kept connection against its round trip and their bytes,
and a download against its bandwidth. Then CPU of the generator for an exchange of 2 KB over a network that only hands
bytes on, and over this machine's. The kernel's netem is no peer here: it needs rights, and a module that containers
mostly lack.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import random  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.server import StreamServer  # noqa: E402
from http_server import serving  # noqa: E402

from dbz.config.networks import PRESETS  # noqa: E402
from dbz.load.generator.http import HttpClient  # noqa: E402
from dbz.load.generator.net import wire  # noqa: E402
from dbz.load.generator.net.access.user import UserAccess  # noqa: E402
from dbz.load.networks import Network  # noqa: E402

SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
USERS = 32
REQUESTS = 10
LATENCY_GOAL_MS, BANDWIDTH_GOAL = 5.0, 0.1
"""How far off a median may be, and a bandwidth as a share of it."""
ANSWER_BYTES = len(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n") + 1
PHONES_PER_S = 500
"""Exchanges a second of a thousand phones that browse."""


def main() -> None:
    """Measure both, and print what was asked for beside what came of it."""
    gevent.spawn(wire.sweep_deadlines)
    print(f"{'':10}{'round trip':>12}{'median':>11}{'':9}{'down':>13}{'measured':>12}{'ratio':>8}")
    with sized_answers() as url:
        for name, terms in PRESETS.items():
            network = Network(name, 1, latency_s=terms.latency, down_bit_s=terms.down or 0.0, up_bit_s=terms.up or 0.0)
            print(accuracy(network, url))
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    with serving(cores[-1]) as (url, server, _):
        plain, shaped = [], []
        for _ in range(ROUNDS):
            plain.append(cpu_us(url, None))
            shaped.append(cpu_us(url, Network("handed on", 1)))
    more_us = statistics.median(shaped) - statistics.median(plain)
    print(f"\n{USERS} users, {server}, {ROUNDS} rounds of {SECONDS:g} s: CPU of the generator for an exchange")
    print(f"this machine's network {statistics.median(plain):.1f} us, handed on {statistics.median(shaped):.1f} us")
    print(f"{PHONES_PER_S} exchanges a second: {more_us * PHONES_PER_S / 1e4:.2f} % of a core more")


def accuracy(network: Network, url: str) -> str:
    """One line: the network's terms, and what a user on it measured."""
    client = HttpClient(url, lambda *_: None, access=UserAccess(network, random.Random(1)))
    sent = len(client.get("/1").sent)
    median_s = statistics.median(client.get("/1").elapsed_s for _ in range(REQUESTS))
    asked_s = network.latency_s + sent * 8 / network.up_bit_s + ANSWER_BYTES * 8 / network.down_bit_s
    size = int(network.down_bit_s / 8 * SECONDS)
    answer = client.get(f"/{size}", timeout=10 * SECONDS)
    client.close()
    measured = len(answer.content) * 8 / (answer.elapsed_s - network.latency_s)
    off_ms, ratio = (median_s - asked_s) * 1000, measured / network.down_bit_s
    kept = abs(off_ms) <= LATENCY_GOAL_MS and abs(ratio - 1) <= BANDWIDTH_GOAL
    return (
        f"{network.name:10}{asked_s * 1000:>9.1f} ms{median_s * 1000:>8.1f} ms{off_ms:>+6.1f} ms"
        f"{network.down_bit_s / 1e6:>8.2f} Mbit{measured / 1e6:>7.2f} Mbit{ratio:>8.3f}{'' if kept else '  off'}"
    )


def cpu_us(url: str, network: Network | None) -> float:
    """CPU for one exchange in a closed loop, in microseconds."""
    clients = [
        HttpClient(url, lambda *_: None, access=UserAccess(network, random.Random(1)) if network else None)
        for _ in range(USERS)
    ]
    made, until_s = [0], time.monotonic() + SECONDS

    def use(client: HttpClient) -> None:
        while time.monotonic() < until_s:
            client.get("/")
            made[0] += 1

    began_s = time.process_time()
    gevent.joinall([gevent.spawn(use, client) for client in clients])
    spent_s = time.process_time() - began_s
    for client in clients:
        client.close()
    return spent_s / made[0] * 1e6


@contextmanager
def sized_answers() -> Iterator[str]:
    """A server that answers `GET /1000` with a thousand bytes."""

    def talk(connection: Any, _address: object) -> None:
        while request := connection.recv(4096):
            size = int(request.split(b" ", 2)[1].strip(b"/"))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))

    server = StreamServer(("127.0.0.1", 0), talk)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.stop()


if __name__ == "__main__":
    main()
