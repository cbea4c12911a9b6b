"""Socket.IO: 500 members in a room, 20 messages a second to all of them, and 2,000 members in one process.

Everybody talks to one and the same server (the reference implementation in Node.js) on a core of its own, one client
after the other, several rounds: dbz, Node's socket.io-client, python-socketio's client under gevent.
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

from dbz.children import Child, free_port, wait_until

MEMBERS, RATE_PER_S = 500, 20
MANY_MEMBERS = 2000
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
STABLE_S = int(os.environ.get("BENCH_STABLE_SECONDS", "10"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
COLUMNS = {"cpu_us": "CPU us a message", "p50_ms": "p50 ms", "p95_ms": "p95 ms", "kb_per_member": "KB a member"}


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


def compare(url: str, packages: Path) -> None:
    """All clients in turn, and again; print the medians, and dbz beside each."""
    python = sys.executable
    clients = {
        "dbz": [python, str(HERE / "socketio_dbz.py")],
        "socket.io-client": ["node", str(HERE / "socketio_node.mjs"), str(packages)],
        "python-socketio": [python, str(HERE / "socketio_python.py")],
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in clients}
    for _ in range(ROUNDS):
        for name, command in clients.items():
            found[name].append(measure(*command, url, str(MEMBERS), str(RATE_PER_S), str(SECONDS)))
    print(f"{MEMBERS} members, {RATE_PER_S} messages a second to all, {ROUNDS} rounds of {SECONDS} s, medians")
    print(f"  {'':18}" + "".join(f"{title:>18}" for title in COLUMNS.values()) + f"{'arrived':>12}")
    for name, rounds in found.items():
        cells = "".join(f"{statistics.median(one[key] for one in rounds):>18.1f}" for key in COLUMNS)
        share = sum(one["received"] for one in rounds) / sum(one["expected"] for one in rounds)
        print(f"  {name:18}{cells}{share:>12.1%}")
    for name in list(found)[1:]:
        pairs = list(zip(found["dbz"], found[name], strict=True))
        ratios = {key: statistics.median(own[key] / peer[key] for own, peer in pairs) for key in COLUMNS}
        print(f"  dbz / {name:12}" + "".join(f"{ratio:>18.2f}" for ratio in ratios.values()))


def hold_many(url: str) -> None:
    """Thousands of members in one process."""
    figures = measure(sys.executable, str(HERE / "socketio_stable.py"), url, str(MANY_MEMBERS), str(STABLE_S))
    print(
        f"{MANY_MEMBERS:,} members in one process: connected in {figures['connect_s']:.1f} s; after {STABLE_S} s "
        f"{figures['connected']:,} are, {figures['delivered']:,} of {figures['expected']:,} messages delivered, "
        f"{figures['errors']} errors"
    )


def main() -> None:
    """Measure and print; without Node.js there is no server to measure against."""
    if not shutil.which("npm"):
        print("Socket.IO: skipped, Node.js and npm are not installed")
        return
    with node_packages() as packages, serving(packages) as url:
        compare(url, packages)
        hold_many(url)


if __name__ == "__main__":
    main()
