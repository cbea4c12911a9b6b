"""Clients of a document store: their options are checked, their errors are short, and their waits may be cancelled.

PyMongo waits on a condition by `asyncio.wait_for`. Before Python 3.12 that waits in a task of its own, which has to
take the condition's lock back before it ends. When the wait is cancelled in that instant, as some of a crowd are that
waits for an overloaded store, the waiter lets go of a lock that it does not hold, and the task takes it and keeps it:
from then on nobody gets a connection, and no time limit covers the wait for that lock. `asyncio.timeout` cancels the
waiter itself, as `wait_for` does from Python 3.12 on.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pymongo.lock
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import ConfigurationError

from dbz.masking import masked_text

T = TypeVar("T")
_LONGEST_TEXT = 300


def async_client(uri: str, **options: Any) -> AsyncMongoClient[dict[str, Any]]:
    """A client of the store at `uri`, with PyMongo's options over those of the URI.

    Raises `ConfigurationError`, `InvalidURI` (PyMongo's) or `ValueError` for what is no URI or has an option that does
    not exist.
    """
    with _options_checked():
        return AsyncMongoClient(uri, **options)


def blocking_client(uri: str, **options: Any) -> MongoClient[dict[str, Any]]:
    """The same for threads."""
    with _options_checked():
        return MongoClient(uri, **options)


def driver_text(error: BaseException) -> str:
    """What the driver says in an error, without its whole view of the topology, and without passwords."""
    text = str(error)
    for addition in (", Timeout:", ", full error:", " (configured timeouts"):
        text = text.partition(addition)[0]
    return masked_text(text)[:_LONGEST_TEXT] or type(error).__name__


@contextmanager
def _options_checked() -> Iterator[None]:
    """Within this block an option that PyMongo leaves out with a warning is an error: it was meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning)
        try:
            yield
        except UserWarning as warning:
            raise ConfigurationError(str(warning).partition(" Refer to docstring")[0]) from None


async def _wait_for(work: Awaitable[T], timeout: float | None) -> T:
    async with asyncio.timeout(timeout):
        return await work


if sys.version_info < (3, 12):
    pymongo.lock.wait_for = _wait_for  # type: ignore[assignment, attr-defined]
