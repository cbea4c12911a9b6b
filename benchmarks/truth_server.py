"""A server that is silent for one second in every five: what arrives then is answered when the second is over.

Prints its port and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
import time

PERIOD_S, SILENT_S = 5.0, 1.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            phase_s = time.monotonic() % PERIOD_S
            if phase_s > PERIOD_S - SILENT_S:
                await asyncio.sleep(PERIOD_S - phase_s)
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serve until standard input ends."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
