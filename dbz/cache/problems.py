"""What goes wrong with stores, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from bson.errors import BSONError
from pymongo.errors import OperationFailure, PyMongoError
from redis.exceptions import NoPermissionError

from dbz.cache.nodes import REDIS_ERRORS
from dbz.errors import DependencyError
from dbz.mongo_client import driver_text

PROBLEMS = (*REDIS_ERRORS, PyMongoError, BSONError, OSError, TimeoutError)
"""What the clients of both stores raise when a store fails."""
_UNKNOWN = re.compile(r"unknown (?:\w+ )?command(?: ['`](\w+))?", re.IGNORECASE)
_SCRIPT = re.compile(r" script: \w+, on @user_script:\d+\.?$")
"""Where in our own script a command failed helps nobody."""


def permitted(answers: Iterable[Any]) -> None:
    """Raise the first refusal among the answers of a pipeline."""
    for answer in answers:
        if isinstance(answer, NoPermissionError):
            raise answer


def unknown_command(text: str) -> str:
    """What a server says that has renamed a command, or switched it off; empty for any other error."""
    found = _UNKNOWN.search(text)
    return f"has no command {found[1] or 'that a script needs'}, or has renamed it" if found else ""


@contextmanager
def reported() -> Iterator[None]:
    """Turn a store's error into a `DependencyError`."""
    try:
        yield
    except PROBLEMS as error:
        raise DependencyError(problem_text(error), code="C002") from error


def problem_text(error: BaseException) -> str:
    """What went wrong, in one line, with whose fault it is."""
    text = _SCRIPT.sub("", driver_text(error).splitlines()[0])
    if isinstance(error, OperationFailure):
        return f"the document store refused a query: {text}"
    if isinstance(error, NoPermissionError) or "no permissions" in text:  # from inside a script it is another error
        return f"Redis does not permit what is needed: {text} (docs/cache.md lists what a user must be permitted)"
    if unknown := unknown_command(text):
        return f"Redis {unknown} (docs/cache.md lists what is needed)"
    if "read only replica" in text:
        return "Redis failed: this server is a read-only replica, and only its primary takes writes"
    of_store = isinstance(error, PyMongoError | BSONError)
    return f"{'the document store' if of_store else 'Redis'} failed: {text}"
