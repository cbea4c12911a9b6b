"""A network between two programs of this machine: a TCP proxy that holds back what it passes on for a while."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType


class Network:
    """Leads to a port of this machine, with so much time to and fro; a context manager."""

    def __init__(self, to_port: int, round_trip_s: float) -> None:
        self._to_port = to_port
        self._round_trip_s = round_trip_s
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    def __enter__(self) -> Network:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ended.wait()
        server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)

    async def _connected(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        there, forth = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._writers |= {back, forth}
        # All of the time is spent on the way forth: timers of an event loop are no finer than a millisecond.
        with contextlib.suppress(OSError):
            await asyncio.gather(_pass_on(here, forth, self._round_trip_s), _pass_on(there, back, 0.0))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, after_s: float) -> None:
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def deliver() -> None:
        while True:
            due, data = await under_way.get()
            if (left_s := due - loop.time()) > 0:
                await asyncio.sleep(left_s)
            writer.write(data)
            await writer.drain()

    delivering = asyncio.create_task(deliver())
    try:
        while data := await reader.read(1 << 16):
            under_way.put_nowait((loop.time() + after_s, data))
    finally:
        delivering.cancel()
        writer.close()
