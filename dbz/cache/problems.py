"""What goes wrong with stores, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import OperationFailure, PyMongoError
from redis.exceptions import RedisError

from dbz.errors import DependencyError

PROBLEMS = (RedisError, PyMongoError, OSError, TimeoutError)
"""What the clients of both stores raise when a store fails."""


@contextmanager
def reported() -> Iterator[None]:
    """Turn a store's error into a `DependencyError`."""
    try:
        yield
    except PROBLEMS as error:
        raise DependencyError(problem_text(error)) from error


def problem_text(error: BaseException) -> str:
    """What went wrong, in one line, with whose fault it is."""
    text = str(error).partition(", Timeout:")[0].splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, OperationFailure):
        return f"the document store refused a query: {text}"
    return f"{'the document store' if isinstance(error, PyMongoError) else 'Redis'} failed: {text}"
