"""GraphQL documents as far as a load needs them: whether a text is one, and what its operations are called.

The grammar of the top level and the balance of brackets are checked (October 2021, section 2); what stands inside a
selection is the server's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

MOST_CHARACTERS = 1_000_000
_TOKEN = re.compile(
    r'(?P<ignored>[\ufeff\s,]+|\#[^\r\n]*)|(?P<name>[_A-Za-z][_0-9A-Za-z]*)|(?P<block>"""(?:[^"\\]|\\.|"(?!""))*""")'
    r'|(?P<text>"(?:[^"\\\r\n]|\\.)*")|(?P<number>-?[0-9][0-9.eE+-]*)|(?P<mark>\.\.\.|[!$&()\[\]{}:=@|])',
    re.DOTALL,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_OPERATIONS = ("query", "mutation", "subscription")
_NEVER_FRAGMENT = "on"


class GraphqlOperation(NamedTuple):
    """One operation of a document."""

    name: str
    """Empty for one that has none."""
    first_field: str
    """The first field that it selects; empty when that stands in a fragment."""

    @property
    def title(self) -> str:
        """What to call it: its name, or else what it asks for first."""
        return self.name or f"{{{self.first_field or '…'}}}"


class _NoDocumentError(Exception):
    pass


@lru_cache(maxsize=2_000)
def operations_in(document: str) -> tuple[GraphqlOperation, ...]:
    """The operations of a document in their order; empty for a text that is no executable document."""
    if len(document) > MOST_CHARACTERS:
        return ()
    try:
        return tuple(_Reader(document).operations())
    except _NoDocumentError:
        return ()


class _Reader:
    """Reads the top level of a document; raises `_NoDocumentError` for anything else."""

    def __init__(self, document: str) -> None:
        self._tokens = list(_tokens(document))
        self._at = 0

    def operations(self) -> Iterator[GraphqlOperation]:
        """Each operation; fragments are only passed over."""
        if not self._tokens:
            raise _NoDocumentError
        while self._at < len(self._tokens):
            word = self._next()
            if word == "{":
                yield GraphqlOperation("", self._selection())
            elif word in _OPERATIONS:
                name = self._next() if self._is_name() else ""
                if self._sees("("):
                    self._skip_group()
                self._directives()
                self._demand("{")
                yield GraphqlOperation(name, self._selection())
            elif word == "fragment":
                self._fragment()
            else:
                raise _NoDocumentError

    def _fragment(self) -> None:
        if not self._is_name() or self._next() == _NEVER_FRAGMENT:
            raise _NoDocumentError
        self._demand("on")
        if not self._is_name():
            raise _NoDocumentError
        self._next()
        self._directives()
        self._demand("{")
        self._selection()

    def _selection(self) -> str:
        """Pass over a selection set whose brace is read; its first field."""
        if not (self._is_name() or self._sees("...")):
            raise _NoDocumentError
        first = self._next() if self._is_name() else ""
        if first and self._sees(":"):  # what stood there was an alias
            self._next()
            if not self._is_name():
                raise _NoDocumentError
            first = self._next()
        self._skip_to_end("{")
        return first

    def _directives(self) -> None:
        while self._sees("@"):
            self._next()
            if not self._is_name():
                raise _NoDocumentError
            self._next()
            if self._sees("("):
                self._skip_group()

    def _skip_group(self) -> None:
        self._skip_to_end(self._next())

    def _skip_to_end(self, opening: str) -> None:
        """Pass over what stands in a pair of brackets of which the first is read; pairs in it are balanced."""
        open_brackets = [opening]
        while open_brackets:
            token = self._next()
            if token in _PAIRS.values():
                open_brackets.append(token)
            elif token in _PAIRS and open_brackets.pop() != _PAIRS[token]:
                raise _NoDocumentError

    def _is_name(self) -> bool:
        return self._at < len(self._tokens) and (
            self._tokens[self._at][0].isalpha() or self._tokens[self._at][0] == "_"
        )

    def _sees(self, token: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at] == token

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise _NoDocumentError
        self._at += 1
        return self._tokens[self._at - 1]

    def _demand(self, token: str) -> None:
        if not self._sees(token):
            raise _NoDocumentError
        self._at += 1


def _tokens(document: str) -> Iterator[str]:
    position = 0
    while position < len(document):
        match = _TOKEN.match(document, position)
        if match is None:
            raise _NoDocumentError
        position = match.end()
        if match.lastgroup != "ignored":
            yield match[0] if match.lastgroup in ("name", "mark") else '"'
