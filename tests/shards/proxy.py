"""A small TCP proxy in front of a store, which cuts every connection after the n-th message of its clients."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

from dbz.children import free_port


class Proxy:
    """Forwards to a port of this machine; `cut_after(n)` counts whole messages from then on, and cuts once.

    `before` is called with each message of a client before it goes on; an error of it cuts that connection.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.cuts = 0
        self.before: Callable[[bytes], None] = lambda _message: None
        self._target_port = target_port
        self._left: int | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def cut_after(self, messages: int | None) -> None:
        """Cut all connections when so many more messages have come; None: never."""
        self._left = messages

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there}
        try:
            await asyncio.gather(self._requests(reader, there), self._answers(there_reader, writer))
        except (OSError, asyncio.IncompleteReadError, EOFError, threading.BrokenBarrierError):
            pass
        finally:
            self._open -= {writer, there}
            for one in (writer, there):
                one.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, there: Any) -> None:
        while True:
            head = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(head, "little") - 4)
            if self._left is not None:
                self._left -= 1
                if self._left < 0:
                    self._left = None
                    self._cut()
                    raise EOFError
            self.before(body)
            there.write(head + body)
            await there.drain()

    async def _answers(self, there: asyncio.StreamReader, writer: Any) -> None:
        while data := await there.read(65536):
            writer.write(data)
            await writer.drain()
        raise EOFError

    def _cut(self) -> None:
        self.cuts += 1
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.transport.abort()
