"""Where the ids in paths come from: `{id}` of `/items/{id}` out of the list that `GET /items` answers.

The rule: a parameter that is a whole part of a path is taken from what `GET` answers on the path before it, when the
document shows that this is a list of objects with a field of the parameter's name, or with `id` where that name ends in
`id`. What is deleted is first made, by `POST` on the same path when its answer shows that field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dbz.bring import names
from dbz.bring.files.openapi.document import ApiDocument, ApiOperation
from dbz.bring.files.openapi.examples import Examples
from dbz.bring.values import Location, leaves

_DEEPEST = 3
"""A list lies at most in so many objects."""


@dataclass(frozen=True)
class IdSource:
    """An operation whose answer holds ids."""

    operation: ApiOperation
    location: Location
    """Where; "*" is every part of a list."""
    name: str
    """What such an id is called, like `room_id`."""


class IdSources:
    """The sources of ids in one document."""

    def __init__(self, document: ApiDocument, examples: Examples, operations: Sequence[ApiOperation]) -> None:
        self._document = document
        self._examples = examples
        self._by_path = {(one.method, one.path.rstrip("/")): one for one in operations}
        self._answers: dict[str, Any] = {}

    def of(self, operation: ApiOperation, parameter: str) -> IdSource | None:
        """What gives the value of a parameter in the path of an operation; None where the document shows nothing."""
        before, found, after = operation.path.partition(f"/{{{parameter}}}")
        if not found or (after and not after.startswith("/")):
            return None
        deletes = operation.method == "delete" and not after.strip("/")
        source = self._by_path.get(("post" if deletes else "get", before))
        if source is None or source is operation:
            return None
        kind = names.singular(next((part for part in reversed(before.split("/")) if part[:1] not in ("", "{")), ""))
        answer = self._answer(source)
        for place, value in leaves(answer):
            in_list = any(isinstance(key, int) for key in place)
            if (
                len(place) > _DEEPEST
                or in_list is deletes
                or isinstance(value, bool)
                or not isinstance(value, str | int)
            ):
                continue
            if place and _is_id(str(place[-1]), parameter, kind) and _is_of(place, kind):
                location = tuple("*" if isinstance(key, int) else key for key in place)
                return IdSource(source, location, _name(str(place[-1]), kind, made=deletes))
        return None

    def _answer(self, operation: ApiOperation) -> Any:
        if operation.name not in self._answers:
            media = self._document.answer_media(operation)
            self._answers[operation.name] = self._examples.value_of(media, whole=True)
        return self._answers[operation.name]


def _is_id(key: str, parameter: str, kind: str) -> bool:
    """Whether a field holds what a parameter asks for."""
    field, wanted = names.snake(key), names.snake(parameter)
    return field == wanted or (wanted.endswith("id") and field in ("id", "_id", f"{names.snake(kind)}_id"))


def _is_of(place: Location, kind: str) -> bool:
    """Whether a field is one of the thing itself, and not of another in it: `owner.id` of a room is no room's id."""
    around = [str(key) for key in place[:-1] if isinstance(key, str)]
    last = [index for index, key in enumerate(place) if isinstance(key, int)]
    if last:
        return last[0] == len(place) - 2  # the objects of the outermost list have it themselves
    return all(names.singular(key) in (kind, "data", "result", "item") for key in around)


def _name(key: str, kind: str, *, made: bool) -> str:
    field, thing = names.snake(key), names.snake(kind) if kind else "item"
    whole = field if field.startswith(f"{thing}_") else f"{thing}_{field}"
    return f"new_{whole}" if made else whole
