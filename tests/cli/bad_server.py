"""Servers that are bad in one way or another, on loopback, in a thread of the test."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

AFTER_S = 6.0
"""Servers that go bad do so this long after their first request: in the judged part of a load with a short warm-up."""
SILENCE_S = 5.0


def answer(status: int, body: bytes = b"{}") -> bytes:
    """One answer, as it is sent."""
    return b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body


class BadServer:
    """Answers as `kind` says; the health probe with 404, but where it is what is bad."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._first_s: float | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.server: asyncio.Server | None = None

    @property
    def _since_s(self) -> float:
        if self._first_s is None:
            self._first_s = time.monotonic()
        return time.monotonic() - self._first_s

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head.split(b" ")[1].decode(), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def close(self) -> None:
        """Hang up, and end all tasks."""
        assert self.server is not None
        self.server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        if path == "/metrics":
            writer.write(answer(404))
        elif path == "/healthz":
            writer.write(answer(503 if self.kind == "health 503" else 404))
        else:
            await self._load(writer)

    async def _load(self, writer: asyncio.StreamWriter) -> None:
        kind, since_s = self.kind, self._since_s
        if kind == "one in fifty fails" and hash(time.monotonic()) % 50 == 0:
            writer.write(answer(500))
        elif kind == "hangs at the end" and since_s > AFTER_S:
            await asyncio.sleep(600)
        elif kind == "is silent for a while" and AFTER_S - SILENCE_S < since_s < AFTER_S:
            await asyncio.sleep(AFTER_S - since_s)
            writer.write(answer(200))
        else:
            writer.write(answer(200))


@contextmanager
def bad_server(kind: str) -> Iterator[str]:
    """The base URL of a server that is bad in one way; it ends with the block."""
    loop = asyncio.new_event_loop()
    bad = BadServer(kind)
    bad.server = loop.run_until_complete(asyncio.start_server(bad.handle, "127.0.0.1", 0))
    port = bad.server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(bad.close(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
