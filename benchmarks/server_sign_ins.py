"""A storm of sign-ins, and somebody who reads meanwhile: the load of the server benchmarks.

Arguments: URL, seconds, connections of the storm (0 for none), user names, password, and a token of whoever reads.
Prints {sign_ins, refused, p95_ms, reads} as JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

READS_PER_S = 25


class Connection:
    """A kept connection of HTTP/1.1 that is asked one thing at a time."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)

    async def ask(self, head: str, body: bytes = b"") -> int:
        """The status of an answer, which is read to its end."""
        if not hasattr(self, "_writer"):
            self._reader, self._writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        self._writer.write(f"{head}host: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        await self._reader.readexactly(int(answer.split("content-length: ")[1].split("\r\n")[0]))
        return int(answer[9:12])


async def storm(url: str, until_s: float, names: Iterator[str], password: str, statuses: Counter[int]) -> None:
    """Sign in as one user after the other."""
    connection = Connection(url)
    while time.monotonic() < until_s:
        body = json.dumps({"username": next(names), "password": password}).encode()
        statuses[await connection.ask("POST /api/auth/login HTTP/1.1\r\ncontent-type: application/json\r\n", body)] += 1


async def read(url: str, until_s: float, token: str) -> list[float]:
    """Read the list of posts at an even rate; how long each answer took from when it was due, in ms."""
    connection, took_ms = Connection(url), []
    due_s = time.monotonic()
    while due_s < until_s:
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        status = await connection.ask(f"GET /api/posts HTTP/1.1\r\nauthorization: Bearer {token}\r\n")
        assert status == 200, status
        took_ms.append((time.monotonic() - due_s) * 1000)
        due_s += 1 / READS_PER_S
    return took_ms


async def main(url: str, seconds: float, connections: int, users: list[str], password: str, token: str) -> None:
    """Both at the same time."""
    until_s, statuses, names = time.monotonic() + seconds, Counter[int](), itertools.cycle(users)
    storms = [asyncio.create_task(storm(url, until_s, names, password, statuses)) for _ in range(connections)]
    took_ms = sorted(await read(url, until_s, token))
    for task in storms:  # those that wait for their turn still
        task.cancel()
    await asyncio.gather(*storms, return_exceptions=True)
    p95_ms = took_ms[int(len(took_ms) * 0.95)]
    refused = sum(number for status, number in statuses.items() if status != 200)
    print(json.dumps({"sign_ins": statuses[200], "refused": refused, "p95_ms": p95_ms, "reads": len(took_ms)}))


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(main(given[0], float(given[1]), int(given[2]), given[3].split(","), given[4], given[5]))
