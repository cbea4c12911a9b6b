"""Socket.IO: members of a room, emits that are acknowledged, and thousands of sockets in one process.

Everybody talks to the reference implementation of the server, in Node.js, on a core of its own. Parts
(`BENCH_SOCKETIO_PARTS=room,acks,held,growth`):

room    500 members, 20 messages a second to all of them. One client after the other, several rounds: dbz, Node's
        socket.io-client, python-socketio's client under gevent.
acks    100 members that emit one event after the other, each when the last one was acknowledged; the same clients.
held    2,000 members in one process of dbz: whether they are connected soon, and all stay.
growth  1/16, 1/4 and all of `BENCH_SOCKETIO_SOCKETS` (10,000) in one process of dbz, each of which sends a message a
        second and gets it back. The exponent is that of a power law through the three: 0 does not grow, 1 is linear.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from growth import exponent

from dbz.children import Child, free_port, wait_until

PARTS = os.environ.get("BENCH_SOCKETIO_PARTS", "room,acks,held,growth").split(",")
MEMBERS, ASKING, RATE_PER_S = 500, 100, 20
MANY_MEMBERS = 2000
SOCKETS = int(os.environ.get("BENCH_SOCKETIO_SOCKETS", "10000"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
STABLE_S = int(os.environ.get("BENCH_STABLE_SECONDS", "10"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
COLUMNS = {"cpu_us": "CPU us a message", "p50_ms": "p50 ms", "p95_ms": "p95 ms", "kb_per_member": "KB a member"}
GROWTH = {
    "connect_s": "s until connected",
    "mb": "MB of the process",
    "kb_a_socket": "KB a socket",
    "cpu_us": "CPU us a message sent and received",
    "cpu_percent": "% of a core",
    "p50_ms": "p50 ms until it is back",
    "p99_ms": "p99 ms until it is back",
    "lag_p99_ms": "lag of the event loop, p99 ms",
    "gc_max_ms": "longest pause of the garbage collector, ms",
    "kept_waiting_ms": "ms a second kept from its core by others",
}
FITTED = ("cpu_us", "kb_a_socket", "lag_p99_ms")
OF_CPU_AND_MEMORY = ("mb", "kb_a_socket", "cpu_us", "cpu_percent")
"""Medians of all rounds. What takes time is that of the round which others kept least from its core."""


@contextmanager
def node_packages() -> Iterator[Path]:
    """A folder with socket.io and socket.io-client in it."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE.parent / "tests" / "node" / name, folder)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        yield Path(folder)


def pinned(core: int, *command: str) -> list[str]:
    """The command, kept to one core where that is possible."""
    return ["taskset", "-c", str(core), *command] if shutil.which("taskset") else list(command)


@contextmanager
def serving(packages: Path) -> Iterator[str]:
    """The server; its URL."""
    port = free_port()
    command = pinned(CORES[-1], "node", str(HERE / "socketio_server.mjs"), str(packages), str(port))
    with Child("server", command, log=packages / "server.log") as server:
        wait_until(lambda: answers(port), server, deadline_s=10, what="the server")
        yield f"http://127.0.0.1:{port}"


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


def measure(*command: str) -> dict[str, float]:
    """Run a client to its end; its figures."""
    done = subprocess.run(pinned(CORES[0], *command), stdout=subprocess.PIPE, text=True, check=True, timeout=180)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def compare(url: str, packages: Path, work: str, members: int) -> None:
    """All clients in turn, and again; print the medians, and dbz beside each."""
    python = sys.executable
    clients = {
        "dbz": [python, str(HERE / "socketio_dbz.py")],
        "socket.io-client": ["node", str(HERE / "socketio_node.mjs"), str(packages)],
        "python-socketio": [python, str(HERE / "socketio_python.py")],
    }
    results: dict[str, list[dict[str, float]]] = {name: [] for name in clients}
    for _ in range(ROUNDS):
        for name, command in clients.items():
            results[name].append(measure(*command, work, url, str(members), str(RATE_PER_S), str(SECONDS)))
    print(f"  {ROUNDS} rounds of {SECONDS} s, medians")
    print(f"  {'':18}" + "".join(f"{title:>18}" for title in COLUMNS.values()) + f"{'arrived':>12}")
    for name, rounds in results.items():
        cells = "".join(f"{statistics.median(figures[key] for figures in rounds):>18.1f}" for key in COLUMNS)
        share = sum(figures["received"] for figures in rounds) / sum(figures["expected"] for figures in rounds)
        print(f"  {name:18}{cells}{share:>12.1%}")
    for name in list(results)[1:]:
        pairs = list(zip(results["dbz"], results[name], strict=True))
        ratios = {key: statistics.median(own[key] / peer[key] for own, peer in pairs) for key in COLUMNS}
        print(f"  dbz / {name:12}" + "".join(f"{ratio:>18.2f}" for ratio in ratios.values()), flush=True)


def hold_many(url: str) -> None:
    """Thousands of members in one process."""
    figures = measure(sys.executable, str(HERE / "socketio_stable.py"), url, str(MANY_MEMBERS), str(STABLE_S))
    print(
        f"{MANY_MEMBERS:,} members in one process: connected in {figures['connect_s']:.1f} s; after {STABLE_S} s "
        f"{figures['connected']:,} are, {figures['delivered']:,} of {figures['expected']:,} messages delivered, "
        f"{figures['errors']} errors"
    )


def grow(packages: Path) -> None:
    """More and more sockets in one process, each time with a server of their own; print how the figures grow."""
    sizes = [SOCKETS // 16, SOCKETS // 4, SOCKETS]
    results: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
    for _ in range(ROUNDS):
        for size in sizes:
            with serving(packages) as url:
                results[size].append(
                    measure(sys.executable, str(HERE / "socketio_many.py"), url, str(size), str(STABLE_S))
                )
    print(f"sockets in one process, each a message a second for {STABLE_S} s; {ROUNDS} rounds:")
    print("medians of CPU and memory, times of the round that other programs kept least from its core")
    print(f"  {'':46}" + "".join(f"{size:>12,}" for size in sizes) + f"{'exponent':>12}")
    for key, title in GROWTH.items():
        if key in OF_CPU_AND_MEMORY:
            values = [statistics.median(figures[key] for figures in rounds) for rounds in results.values()]
        else:
            values = [min(rounds, key=lambda figures: figures["kept_waiting_ms"])[key] for rounds in results.values()]
        fitted = f"{exponent(values):>12}" if key in FITTED else ""
        print(f"  {title:46}" + "".join(f"{value:>12.1f}" for value in values) + fitted)
    every = [figures for rounds in results.values() for figures in rounds]
    lost = sum(figures["sent"] - figures["back"] for figures in every)
    left = sum(figures["sockets"] - figures["connected"] for figures in every)
    print(
        f"  {lost:,.0f} messages lost, {left:,.0f} sockets, {sum(figures['errors'] for figures in every):,.0f} errors"
    )


def main() -> None:
    """Measure and print; without Node.js there is no server to measure against."""
    if not shutil.which("npm"):
        print("Socket.IO: skipped, Node.js and npm are not installed")
        return
    with node_packages() as packages:
        with serving(packages) as url:
            if "room" in PARTS:
                print(f"{MEMBERS} members, {RATE_PER_S} messages a second to all")
                compare(url, packages, "room", MEMBERS)
            if "acks" in PARTS:
                print(f"{ASKING} members, each emits when its last emit was acknowledged")
                compare(url, packages, "acks", ASKING)
            if "held" in PARTS:
                hold_many(url)
        if "growth" in PARTS:
            grow(packages)


if __name__ == "__main__":
    main()
