"""Asynchronous clients of a document store, whose waits for a connection may be cancelled at any moment.

PyMongo waits on a condition by `asyncio.wait_for`. Before Python 3.12 that waits in a task of its own, which has to
take the condition's lock back before it ends. When the wait is cancelled in that instant, as some of a crowd are that
waits for an overloaded store, the waiter lets go of a lock that it does not hold, and the task takes it and keeps it:
from then on nobody gets a connection, and no time limit covers the wait for that lock. `asyncio.timeout` cancels the
waiter itself, as `wait_for` does from Python 3.12 on.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from typing import Any, TypeVar

import pymongo.lock
from pymongo import AsyncMongoClient

T = TypeVar("T")


def async_client(uri: str, **options: Any) -> AsyncMongoClient[dict[str, Any]]:
    """A client of the store at `uri`, with PyMongo's options; it raises what the class raises."""
    return AsyncMongoClient(uri, **options)


async def _wait_for(work: Awaitable[T], timeout: float | None) -> T:
    async with asyncio.timeout(timeout):
        return await work


if sys.version_info < (3, 12):
    pymongo.lock.wait_for = _wait_for  # type: ignore[assignment, attr-defined]
