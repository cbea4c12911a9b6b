"""Reading the JSON documents that dbz itself has written: one way, whatever was done to the file since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from dbz.bounded import DOCUMENT, parse_json, read_within
from dbz.errors import UsageError

Made = TypeVar("Made")


@dataclass(frozen=True)
class DocumentKind(Generic[Made]):
    """A kind of document: how it is recognized, and how its content is made into an object."""

    schema: str
    """What its field `schema` says, like `dbz.run/1`."""
    what: str
    """What it is called in errors, like `a run`."""
    make: Callable[[dict[str, Any]], Made]
    """From the whole content; errors of its type (`ValueError`, `KeyError`, `TypeError`) mean that it is damaged."""
    unreadable: str = "cannot read {path}"
    """The beginning of the error when the file cannot be opened."""
    hint: str = ""
    """What to do when the file cannot be opened."""

    def read(self, path: Path) -> Made:
        """The document in a file; `UsageError` when it cannot be read, is too large, damaged, or of another kind."""
        try:
            content = read_within(path, DOCUMENT)
        except OSError as error:
            raise UsageError(
                f"{self.unreadable.format(path=path)}: {error.strerror}", hint=self.hint, code="E005"
            ) from error
        except ValueError as error:  # a NUL in the path
            raise UsageError(f"{self.unreadable.format(path=path)}: {error}", hint=self.hint, code="E005") from error
        try:
            document = parse_json(content, str(path))
        except ValueError as error:
            raise UsageError(f"{path} is damaged: {_reason(error)}", code="E012") from error
        return self.of(document, str(path))

    def of(self, document: Any, origin: str) -> Made:
        """The object that parsed JSON stands for; `UsageError`, which names the origin, when it stands for none."""
        if not isinstance(document, dict):
            raise UsageError(f"{origin} is damaged: it is not a JSON object", code="E012")
        if document.get("schema") != self.schema:
            schema = document.get("schema")
            raise UsageError(
                f"{origin} is not {self.what}: its schema is {schema!r}, this dbz reads {self.schema!r}", code="E013"
            )
        try:
            return self.make(document)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise UsageError(f"{origin} is damaged: {_reason(error)}", code="E012") from error


def _reason(error: Exception) -> str:
    """What is wrong, in one line; of several complaints of a model the first one, with its place."""
    complaints = getattr(error, "errors", None)
    if callable(complaints):
        first = complaints()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
