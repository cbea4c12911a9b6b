"""Which service answered, by a header of its answers: behind a gateway one URL leads to many."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dbz.load.generator.http.answer.head import Head
from dbz.measure.latency.tags import MOST_SERVICES, OTHER_SERVICES

_MOST_OPERATIONS = 5_000
_LONGEST = 100
_END = re.compile(r"[;,]")


class AnsweringServices:
    """Names the service of each request, as the header `field` has it; with an empty one, of none.

    A request that failed without a name belongs to the service that answered its operation last: a service that is
    gone sends no header, and is the one to blame.
    """

    def __init__(self, field: str) -> None:
        self._field = field.lower()
        self._wire = self._field.encode()
        self._names: dict[str, str] = {}
        self._last: dict[str, str] = {}

    def of_head(self, head: Head, operation: str, *, failed: bool) -> str:
        """The service by the head of an answer; empty when nothing names one."""
        field, name = head.service
        if field is not self._field:
            name = self._look(head)
            head.service = self._field, name  # the reader gives the same head again for the same bytes
        return self._settle(name, operation) if name or failed else ""

    def of_fields(self, fields: Mapping[str, str], operation: str, *, failed: bool) -> str:
        """The same by header fields of another client, whose keys are found in any case."""
        name = self._known(fields.get(self._field, "")) if self._field else ""
        return self._settle(name, operation) if name or failed else ""

    def _settle(self, name: str, operation: str) -> str:
        if not name:
            return self._last.get(operation, "")
        if operation in self._last or len(self._last) < _MOST_OPERATIONS:
            self._last[operation] = name
        return name

    def _look(self, head: Head) -> str:
        if not self._wire:
            return ""
        wire, length = self._wire, len(self._wire)
        for name, value in head.fields:
            if len(name) == length and name.lower() == wire:
                return self._known(value.decode("latin-1"))
        return ""

    def _known(self, value: str) -> str:
        """The name in a value, without what parameters or a list add to it; the rest of too many is one."""
        name = _END.split(value, maxsplit=1)[0].strip()[:_LONGEST]
        if not name or name in self._names:
            return name
        if len(self._names) >= MOST_SERVICES:
            return OTHER_SERVICES
        self._names[name] = name
        return name
