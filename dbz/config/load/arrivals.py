"""Recorded arrivals, schema `dbz.arrivals/1`: a line of JSON for each, in the order of their times, below a head.

    {"schema": "dbz.arrivals/1"}
    {"at_s": 0.0, "method": "GET", "path": "/posts/17", "name": "/posts/{id}", "status": 200}

`at_s` is in seconds since the first one; whatever else stands in a line is for the task that begins with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from dbz.bounded import lines_within
from dbz.config.source.files import existing_file
from dbz.errors import UsageError

SCHEMA = "dbz.arrivals/1"
ARRIVALS_AHEAD_S = 3.0
"""The judged part of a load is so much longer than its arrivals: users start, and the last answers come."""

Arrival = tuple[float, Mapping[str, Any]]
"""When a task begins, in seconds since the first one, and what it is told."""


@dataclass(frozen=True)
class ArrivalsSummary:
    """What a file of arrivals comes to."""

    count: int
    length_s: float
    """From the first to the last, as recorded."""


def arrivals_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """The text of a file of arrivals; the rows are in the order of their `at_s`."""
    return "".join(orjson.dumps(row).decode() + "\n" for row in ({"schema": SCHEMA}, *rows))


def summary_of(path: str) -> ArrivalsSummary:
    """Read a whole file; `UsageError` names the first line that is wrong."""
    count, last_s = 0, 0.0
    for at_s, _ in recorded_arrivals(path):
        count, last_s = count + 1, at_s
    if not count:
        raise UsageError(f"{path}: there are no arrivals in it", code="L017")
    return ArrivalsSummary(count, last_s)


def recorded_arrivals(path: str, worker: int = 0, workers: int = 1) -> Iterator[Arrival]:
    """The arrivals of one worker of several, as they are read; `UsageError` names a line that is wrong."""
    last_s = 0.0
    with existing_file("arrivals", path).open("rb") as file:
        for number, line in enumerate(lines_within(file, path)):
            row = _row(line, f"{path}:{number + 1}")
            if number == 0:
                if row.get("schema") != SCHEMA:
                    raise UsageError(f"{path}: no file of arrivals: its first line has no schema {SCHEMA}", code="L017")
                continue
            at_s = row.get("at_s")
            if not isinstance(at_s, int | float) or isinstance(at_s, bool) or not math.isfinite(at_s) or at_s < last_s:
                raise UsageError(f"{path}:{number + 1}: at_s is no time that is {last_s:g} s or later", code="L017")
            last_s = float(at_s)
            if (number - 1) % workers == worker:
                yield last_s, row


def _row(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{where}: not JSON: {error}", code="L017") from error
    if not isinstance(row, dict):
        raise UsageError(f"{where}: not an object", code="L017")
    return row
