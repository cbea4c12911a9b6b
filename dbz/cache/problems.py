"""What goes wrong with stores, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from bson.errors import BSONError
from pymongo.errors import OperationFailure, PyMongoError
from redis.exceptions import NoPermissionError, RedisError

from dbz.errors import DependencyError

PROBLEMS = (RedisError, PyMongoError, BSONError, OSError, TimeoutError)
"""What the clients of both stores raise when a store fails."""


def is_broken_client(error: BaseException) -> bool:
    """Whether it is PyMongo that lost its lock, in a cancellation while its store was away."""
    return isinstance(error, RuntimeError) and "Lock is not acquired" in str(error)


def permitted(answers: Iterable[Any]) -> None:
    """Raise the first refusal among the answers of a pipeline."""
    for answer in answers:
        if isinstance(answer, NoPermissionError):
            raise answer


@contextmanager
def reported() -> Iterator[None]:
    """Turn a store's error into a `DependencyError`."""
    try:
        yield
    except PROBLEMS as error:
        raise DependencyError(problem_text(error), code="C002") from error
    except RuntimeError as error:
        if is_broken_client(error):
            raise DependencyError(problem_text(error), code="C002") from error
        raise


def problem_text(error: BaseException) -> str:
    """What went wrong, in one line, with whose fault it is."""
    text = str(error).partition(", Timeout:")[0].partition(" (configured timeouts")[0]
    text = text.splitlines()[0] if text else type(error).__name__
    if isinstance(error, OperationFailure):
        return f"the document store refused a query: {text}"
    if isinstance(error, NoPermissionError) or "no permissions" in text:  # from inside a script it is another error
        return f"Redis does not permit what is needed: {text} (docs/cache.md lists what a user must be permitted)"
    of_store = isinstance(error, PyMongoError | BSONError) or is_broken_client(error)
    return f"{'the document store' if of_store else 'Redis'} failed: {text}"
