"""Which values in answers are one user's own, such as an e-mail address: who gets another's was answered wrongly, as
by a cache that takes one user for another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Any

from dbz.load.generator.data.checks import shown
from dbz.load.generator.http.response import Response
from dbz.protocols import json_path


class Ownership:
    """What has been answered to the users of one process as their own, by operation and JSONPath."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str, str], Hashable] = {}
        """Of each value, as text, who got it first."""
        self._values: defaultdict[Hashable, dict[tuple[str, str], str]] = defaultdict(dict)

    def problem_of(self, user: Hashable, answer: Response, *paths: str) -> str:
        """What is wrong with an answer to `user` whose values at these JSONPaths nobody else gets, and are always the
        same; empty when nothing is.
        """
        try:
            tree = answer.json()
        except ValueError:
            return "the body is not JSON"
        problems = (self._problem_at(user, answer.operation, path, json_path.find(path, tree)) for path in paths)
        return next(filter(None, problems), "")

    def forget(self, user: Hashable) -> None:
        """The user has ended, and another one may sign in with its account."""
        for place, value in self._values.pop(user, {}).items():
            del self._owners[*place, value]

    def _problem_at(self, user: Hashable, operation: str, path: str, found: list[Any]) -> str:
        if not found:
            return f"{path} is missing"
        value, before = repr(found[0]), self._values[user].get((operation, path))
        if value == before:
            return ""
        if self._owners.get((operation, path, value), user) != user:
            return f"{path} is another user's: {shown(found[0])}"
        if before is not None:
            return f"{path} is {shown(found[0])}, and was another value before"
        self._owners[operation, path, value] = user
        self._values[user][operation, path] = value
        return ""
