"""A proxy for HTTP/1.1 in front of the embedded stack: every answer takes a while longer, as from a store far away.

`python green_proxy.py PORT TARGET_PORT LATENCY_MS SLOW_PATH EXTRA_MS`; paths that begin with `SLOW_PATH` take so many
milliseconds more.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import selectors
import sys

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CHUNK_BYTES = 1 << 18


class Proxy:
    """Passes requests on to a port of this machine, each after its delay."""

    def __init__(self, target_port: int, latency_s: float, slow_path: str, extra_s: float) -> None:
        self._target_port = target_port
        self._latency_s = latency_s
        self._slow = f"GET {slow_path}".encode()
        self._extra_s = extra_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either end closes it."""
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._target_port)
        answers = asyncio.create_task(_copy(there_reader, writer))
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                await asyncio.sleep(self._latency_s + self._extra_s * head.startswith(self._slow))
                there.write(head + body)
        there.close()
        await answers


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def main(port: int, proxy: Proxy) -> None:
    """Serve until the process is ended."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    delays = Proxy(int(sys.argv[2]), float(sys.argv[3]) / 1000, sys.argv[4], float(sys.argv[5]) / 1000)
    # select() takes any timeout; epoll's are whole milliseconds, which are more than 15 % of these.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(main(int(sys.argv[1]), delays))
