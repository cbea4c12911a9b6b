"""The reference server on one core, the load on the other: cached lists, sign-ins, chat, memory of many sockets.

Its peer is the least that the same libraries can do, in the same run: a constant answer, and python-socketio's own
server, which checks and stores nothing (`server_plain.py`).
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pymongo
from http_peers import CONNECTIONS, generate
from http_server import pinned

from dbz.children import Child, free_port, wait_until
from dbz.load.spec import AdHocRequest
from dbz.server.auth.passwords import hash_password
from dbz.server.settings import Auth
from dbz.stack import StackOptions, start_stack

SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
ROOM_MEMBERS, RATES_PER_S = 500, (20, 40, 60, 80)
SOCKETS, SOCKET_CLUBS = (500, 1000, 2000), 10
SIGN_IN_CLUBS, STORM = 7, 64
HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
LIST = "/api/posts"


class Served(NamedTuple):
    """A server that is up: its name, base URL, and the process that holds its sockets."""

    name: str
    url: str
    worker: psutil.Process
    mongo_uri: str = ""

    def cpu_s(self) -> float:
        """What its process has used of the processor."""
        return sum(self.worker.cpu_times()[:2])


@contextmanager
def reference(clubs: int, server_processes: int = 1) -> Iterator[Served]:
    """The reference server on the last core, its stores on the first one."""
    options = StackOptions(clubs=clubs, processes=server_processes)
    with tempfile.TemporaryDirectory() as logs, start_stack(options, Path(logs)) as stack:
        processes = {name: psutil.Process(pid) for name, pid in stack.pids.items()}
        for name, process in processes.items():
            for one in (process, *process.children(recursive=True)):
                keep_on(one, CORES[-1] if name == "server" else CORES[0])
        yield Served("dbz serve", stack.url, worker_of(processes["server"]), stack.mongo_uri)


@contextmanager
def plain(body: bytes = b"{}") -> Iterator[Served]:
    """The peer, on the last core."""
    port = free_port()
    granian = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)]
    command = [*pinned(CORES[-1]), *granian, "--no-access-log", "--working-dir", str(HERE), "server_plain:app"]
    with tempfile.TemporaryDirectory() as name:
        kept = Path(name) / "body"
        kept.write_bytes(body)
        with Child("peer", command, log=Path(name) / "log", env={"BENCH_BODY": str(kept)}) as child:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(url), child, deadline_s=20, what="the peer")
            yield Served("plain", url, worker_of(psutil.Process(child.pid)))


def worker_of(process: psutil.Process) -> psutil.Process:
    """The one process below a server's first that has loaded the application: the largest."""
    return max(process.children(recursive=True), key=lambda one: one.memory_info().rss)


def keep_on(process: psutil.Process, core: int) -> None:
    """Keep a running process to one core, where that is possible."""
    if hasattr(process, "cpu_affinity"):
        process.cpu_affinity([core])


def answers(url: str) -> bool:
    """Whether a GET gets an answer."""
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


def token(url: str) -> str:
    """An access token of a demo user."""
    body = json.dumps({"username": "user0007", "password": "demo"}).encode()
    login = urllib.request.Request(f"{url}/api/auth/login", body, {"content-type": "application/json"})
    with urllib.request.urlopen(login, timeout=10) as answer:
        found: str = json.load(answer)["access_token"]
    return found


def lists() -> None:
    """A cached list against a constant answer of the same size."""
    with reference(clubs=1) as ours:
        headers = {"Authorization": f"Bearer {token(ours.url)}"}
        asked = AdHocRequest(f"{ours.url}{LIST}", headers=headers)
        with urllib.request.urlopen(urllib.request.Request(asked.url, headers=headers), timeout=10) as answer:
            body = answer.read()
        with plain(body) as peer:
            other = AdHocRequest(f"{peer.url}/", headers=headers)
            pairs = [(rate(asked), rate(other)) for _ in range(ROUNDS)]
    print(f"\n{LIST}, cached, {len(body):,} bytes, {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s")
    print(f"  dbz serve        {statistics.median(one for one, _ in pairs):>9,.0f} requests/s on one core")
    print(f"  constant answer  {statistics.median(other for _, other in pairs):>9,.0f} requests/s")
    print(f"  dbz / it         {statistics.median(one / other for one, other in pairs):>9.2f}")


def rate(request: AdHocRequest) -> float:
    """Completed requests a second."""
    return generate(request.url, SECONDS, CORES[0], request).rate_per_s


def sign_ins() -> None:
    """Sign-ins of demo users and of users with hashes like real ones; a cached list before and during the storm."""
    with reference(SIGN_IN_CLUBS) as served:
        demo, real = [f"user{number:04d}" for number in range(1000)], [f"user{n:04d}" for n in range(1000, 1400)]
        with pymongo.MongoClient[dict[str, str]](served.mongo_uri) as store:
            kept = hash_password("demo", Auth().password_rounds)
            store["dbz"]["users"].update_many({"username": {"$in": real}}, {"$set": {"password_hash": kept}})
        print(f"\n{STORM} connections sign in, {SECONDS} s; {LIST} is read 25 times a second meanwhile")
        print(f"  {'':12}{'sign-ins/s':>12}{'a CPU second':>14}{'refused':>9}{'p95 ms':>9}{'without':>9}")
        for name, users in (("demo users", demo), ("real users", real)):
            without = storm(served, 0, users)
            before_s = served.cpu_s()
            found = storm(served, STORM, users)
            per_s, per_cpu_s = found["sign_ins"] / SECONDS, found["sign_ins"] / (served.cpu_s() - before_s)
            figures = f"{per_s:>12,.1f}{per_cpu_s:>14,.1f}{found['refused']:>9}{found['p95_ms']:>9.1f}"
            print(f"  {name:12}{figures}{without['p95_ms']:>9.1f}", flush=True)


def storm(served: Served, connections: int, users: list[str]) -> dict[str, float]:
    """Sign-ins by so many connections, and reads beside them."""
    script = [*pinned(CORES[0]), sys.executable, str(HERE / "server_sign_ins.py"), served.url, str(SECONDS)]
    given = [str(connections), ",".join(users), "demo", token(served.url)]
    done = subprocess.run([*script, *given], stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def room(served: Served, members: int, rate_per_s: float, seconds: float, clubs: int) -> dict[str, float]:
    """Members in the clubs' rooms talk; their figures, and the worker's CPU a delivery and memory."""
    script = [sys.executable, str(HERE / "server_room.py"), "room", served.url]
    options = [str(members), str(rate_per_s), str(seconds), str(clubs), served.name]
    before_s = served.cpu_s()
    process = subprocess.Popen([*pinned(CORES[0]), *script, *options], stdout=subprocess.PIPE, text=True)
    memory_bytes = 0
    while process.poll() is None:
        memory_bytes = max(memory_bytes, served.worker.memory_info().rss)
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    assert process.stdout is not None
    figures: dict[str, float] = json.loads(process.stdout.read())
    return {**figures, "memory_mb": memory_bytes / 1e6, "cpu_s": served.cpu_s() - before_s}


def fan_out() -> None:
    """One room with all members, at growing rates."""
    print(f"\n{ROOM_MEMBERS} members in one room, {SECONDS} s each")
    print(f"  {'messages/s':>10}{'':>12}{'deliveries/s':>14}{'arrived':>10}{'p50 ms':>9}{'p95 ms':>9}")
    for rate_per_s in RATES_PER_S:
        for serve in (lambda: reference(clubs=1), plain):
            with serve() as served:
                found = room(served, ROOM_MEMBERS, rate_per_s, SECONDS, clubs=1)
            per_s = found["received"] / SECONDS
            share = found["received"] / found["expected"]
            figures = f"{per_s:>14,.0f}{share:>10.1%}{found['p50_ms']:>9.1f}{found['p95_ms']:>9.1f}"
            print(f"  {rate_per_s:>10}  {served.name:10}{figures}", flush=True)


def many_sockets() -> None:
    """The memory of one server process by its number of sockets, in rooms that talk, and how it grows."""
    print(f"\nmemory of a process with its sockets in {SOCKET_CLUBS} rooms, MB")
    print(f"  {'sockets':>8}{'dbz serve':>11}{'each of two':>13}{'plain python-socketio':>23}")
    above: list[tuple[float, float]] = []
    for sockets in SOCKETS:
        figures = []
        for serve in (lambda: reference(SOCKET_CLUBS), lambda: reference(SOCKET_CLUBS, 2), plain):
            with serve() as served:
                before_bytes = served.worker.memory_info().rss
                figures.append(room(served, sockets, 2, SECONDS, SOCKET_CLUBS)["memory_mb"])
            if len(figures) == 1:
                above.append((sockets, figures[0] - before_bytes / 1e6))
        one, of_two, theirs = figures
        print(f"  {sockets:>8,}{one:>11,.0f}{of_two:>13,.0f}{theirs:>23,.0f}", flush=True)
    (fewest, little), (most, much) = above[0], above[-1]
    exponent = math.log(much / little) / math.log(most / fewest)
    print(f"  above an empty server it grows with the sockets to the power of {exponent:.2f}")


if __name__ == "__main__":
    lists()
    sign_ins()
    fan_out()
    many_sockets()
