"""Threads that decode and encode: few, and with a bounded line before them, so that the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from dbz.server.http.errors import ApiError

Given = ParamSpec("Given")
Result = TypeVar("Result")


class ImageWorkers:
    """Runs work on pictures beside the event loop.

    Threads, not processes: Pillow lets go of the interpreter for most of its work, so that the event loop hardly waits
    longer, and no picture is copied to another process and back (benchmarks/bench_images.py measures both).
    """

    def __init__(self, threads: int, queue: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="images")
        self._places = threads + queue
        self._taken = 0

    async def run(self, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """What `work` returns; refuses with 503 when too many wait already."""
        if self._taken >= self._places:
            raise ApiError(503, "images_busy", "too many pictures are being made: try again shortly")
        self._taken += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))
        future.add_done_callback(self._leave)
        return await asyncio.shield(future)  # a place is taken until the work is done, whoever goes away meanwhile

    def stop(self) -> None:
        """Take no more work, and forget what waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _leave(self, future: asyncio.Future[Any]) -> None:
        self._taken -= 1
        if not future.cancelled():
            future.exception()  # whoever waited may have gone; the error then has no other reader
