"""How long calls of a service are refused after a kill -9, what that does to the others, and to those that are refused.

Every service with services apart is killed three times in a row, its next kill as soon as it answers again. Meanwhile
one client asks it, and another all the others, each every 20 ms at most. BENCH_SERVICES=game,auth for fewer.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from dbz.children import Child, free_port, wait_until

PATHS = {
    "auth": "/api/me",
    "content": "/api/posts",
    "game": "/api/games",
    "chat": "/api/rooms",
    "notification": "/api/notifications",
    "media": "/media/photo1",
}
SERVICES = os.environ.get("BENCH_SERVICES", ",".join(PATHS)).split(",")
KILLS = 3
_EVERY_S = 0.02
_MOST_S = 60.0


@dataclass
class Recovery:
    """What was seen of one service."""

    took_s: list[float] = field(default_factory=list)
    """From each kill to the first answer with 200 after it."""
    refused_ms: list[float] = field(default_factory=list)
    """How long a refusal took."""
    others: int = 0
    failed: int = 0
    """Of the requests to others."""


def main() -> None:
    """Kill, watch, print."""
    with _serving() as (url, pid):
        found = asyncio.run(_all(url, pid))
    print(
        f"kill -9 of each service, {KILLS} times in a row; calls should come back within 5 s, be refused within 50 ms,"
    )
    print("and fewer than 0.1 % of the others' fail")
    print(f"{'':14}{'back after, s':>22}{'refused':>9}{'p50':>8}{'slowest':>9}{'others':>9}{'failed':>8}")
    for service, one in found.items():
        took = ", ".join(f"{seconds:.2f}" for seconds in one.took_s)
        slow, middle = max(one.refused_ms, default=0), statistics.median(one.refused_ms or [0])
        refused = f"{len(one.refused_ms):>9}{middle:>5.0f} ms{slow:>6.0f} ms"
        print(f"{service:14}{took:>22}{refused}{one.others:>9}{one.failed:>8}")


async def _all(url: str, pid: int) -> dict[str, Recovery]:
    async with _signed_in(url, "user0000") as asking, _signed_in(url, "user0001") as watching:
        for path in PATHS.values():
            (await asking.get(path)).raise_for_status()
        return {service: await _one(asking, watching, pid, service) for service in SERVICES}


@asynccontextmanager
async def _signed_in(url: str, name: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of its own, since each may ask 60 times a second."""
    async with httpx.AsyncClient(base_url=url, timeout=15) as http:
        answer = await http.post("/api/auth/login", json={"username": name, "password": "demo"})
        http.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        yield http


async def _one(asking: httpx.AsyncClient, others: httpx.AsyncClient, pid: int, service: str) -> Recovery:
    found = Recovery()
    watching = asyncio.create_task(_watch_others(others, service, found))
    for _ in range(KILLS):
        os.kill(_pid_of(pid, service), signal.SIGKILL)
        await _until_back(asking, service, found)
    watching.cancel()
    return found


async def _until_back(http: httpx.AsyncClient, service: str, found: Recovery) -> None:
    killed_s = time.perf_counter()
    refused = False
    while (begun_s := time.perf_counter()) < killed_s + _MOST_S:
        status = (await http.get(PATHS[service])).status_code
        if status == 200 and (refused or time.perf_counter() - killed_s > 1):
            break
        if status != 200:  # an answer in the moment of the kill is none of a new process
            refused = True
            found.refused_ms.append((time.perf_counter() - begun_s) * 1000)
        await asyncio.sleep(_EVERY_S)
    found.took_s.append(time.perf_counter() - killed_s)


async def _watch_others(http: httpx.AsyncClient, service: str, found: Recovery) -> None:
    while True:
        for other, path in PATHS.items():
            if other != service:
                found.others += 1
                found.failed += (await http.get(path)).status_code != 200
                await asyncio.sleep(_EVERY_S)


def _pid_of(pid: int, service: str) -> int:
    """The process of a service that the others of it belong to."""
    name = f"dbz-{service}"[:15]
    named = [each for each in psutil.Process(pid).children(recursive=True) if _comm(each) == name]
    return next(each.pid for each in named if each.ppid() not in {other.pid for other in named})


def _comm(process: psutil.Process) -> str:
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except OSError:
        return ""


@contextmanager
def _serving() -> Iterator[tuple[str, int]]:
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "serve.log"
        command = [str(Path(sys.executable).with_name("dbz")), "serve", "--services", "apart", "--port", str(port)]
        with Child("dbz serve", command, log=log, env={"DBZ_STATE_DIR": name}, grace_s=30) as child:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _is_ready(url), child, deadline_s=180, what="dbz serve")
            yield url, child.pid


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
