"""Reading ahead: what comes next is fetched while the caller works."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TypeVar

from dbz.background import end

T = TypeVar("T")


async def ahead(*sources: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The items of all sources; one item waits and each source reads its next while the caller works on another.

    The items of one source keep their order. The first error of a source is raised when the items before it are taken.
    """
    queue: asyncio.Queue[tuple[T] | Exception | None] = asyncio.Queue(1)

    async def read(source: AsyncGenerator[T, None]) -> None:
        try:
            async with contextlib.aclosing(source):
                async for item in source:
                    await queue.put((item,))
        except Exception as error:
            await queue.put(error)
        else:
            await queue.put(None)

    readers = [asyncio.create_task(read(source)) for source in sources]
    reading = len(readers)
    try:
        while reading:
            taken = await queue.get()
            if isinstance(taken, Exception):
                raise taken
            if taken is None:
                reading -= 1
            else:
                yield taken[0]
    finally:
        await end(readers)
