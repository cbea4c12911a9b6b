"""Rows of a file for virtual users; the workers of a run share them out, so that none is given out twice."""

from __future__ import annotations

import csv
import itertools
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import orjson

from dbz.bounded import LONGEST_LINE, ROWS, check_size, check_values, fault_of, lines_within
from dbz.errors import UsageError

MAX_ROWS = 1_000_000
"""Of one file: each process of a run holds all of them."""
Order = Literal["sequential", "shuffled", "random", "unique"]
AtEnd = Literal["repeat", "stop", "fail"]
_ORDERS: Sequence[str] = ("sequential", "shuffled", "random", "unique")
_ENDS: Sequence[str] = ("repeat", "stop", "fail")

_feeders: list[Feeder] = []


class FeederEmptyError(Exception):
    """All rows were handed out, and the feeder fails at its end."""


class Feeder:
    """The rows of a file; `take` gives a user the next one of this worker's share."""

    def __init__(self, path: Path, order: Order, at_end: AtEnd) -> None:
        self._path = path
        self._order = order
        self._at_end = at_end
        self._rows = read_rows(path)
        self._next: Iterator[Any] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def settle(self, worker: int, workers: int, users: int, seed: int) -> None:
        """Take this worker's share: every `workers`-th row, from number `worker` on.

        `UsageError` when there are fewer rows than users that are to have one each, or fewer than workers.
        """
        if self._order == "unique" and len(self._rows) < users:
            raise UsageError(
                f"{self._path} has {len(self._rows)} rows for {users} users, who are to have one each", code="L010"
            )
        if len(self._rows) < workers:
            raise UsageError(
                f"{self._path} has {len(self._rows)} rows for {workers} workers, which need one each", code="L010"
            )
        generator = random.Random(f"{seed}:{self._path.name}")
        rows = list(self._rows)
        if self._order == "shuffled":
            generator.shuffle(rows)  # the same for all workers, before they share the rows out
        self._next = self._sequence(rows[worker::workers], random.Random(f"{seed}:{worker}:{self._path.name}"))

    def _sequence(self, rows: Sequence[Any], generator: random.Random) -> Iterator[Any]:
        if self._order == "random":
            return (generator.choice(rows) for _ in itertools.count())
        if self._at_end == "repeat" and self._order != "unique":
            return itertools.cycle(rows)
        return iter(rows)

    def take(self) -> Any:
        """The next row: of a CSV file a mapping of texts by column, of a JSON file what stands there.

        After the last row it begins again, ends the user, or raises `FeederEmptyError`, as the feeder was told.
        """
        if self._next is None:
            self.settle(0, 1, 0, 0)
            assert self._next is not None
        for row in self._next:
            return row
        if self._at_end == "fail" or "locust" not in sys.modules:  # without Locust there is no user who could stop
            raise FeederEmptyError(f"{self._path.name} has no more rows")
        from locust.exception import StopUser

        raise StopUser


def feeder(path: str, *, order: Order = "sequential", at_end: AtEnd = "repeat") -> Feeder:
    """Rows of a CSV, JSON or JSON-lines file; a relative path counts from the scenario's own folder.

    `order`: "sequential", "shuffled" (once, by the seed of the run), "random" (a row may come again at any time), or
    "unique" (each row once; there must be one for each user). `at_end`, after the last row: "repeat", "stop" (the user
    ends) or "fail"; rows that are unique are not repeated. `UsageError` says what is wrong with the file.
    """
    for name, value, allowed in (("order", order, _ORDERS), ("at_end", at_end, _ENDS)):
        if value not in allowed:
            raise UsageError(f"feeder('{path}'): {name} is {value!r} (allowed: {', '.join(allowed)})", code="L009")
    scenario = sys._getframe(1).f_globals.get("__file__")
    folder = Path(scenario).parent if scenario else Path()
    made = Feeder(folder / path if (folder / path).exists() else Path(path), order, at_end)
    _feeders.append(made)
    return made


def settle_feeders(worker: int, workers: int, users: int, seed: int) -> None:
    """Give every feeder of the scenario this worker's share; `UsageError` when there are too few rows."""
    for made in _feeders:
        made.settle(worker, workers, users, seed)


def read_rows(path: Path) -> list[Any]:
    """The rows of a CSV, JSON or JSON-lines file; `UsageError` names the file and the line that is wrong."""
    if fault := fault_of(path):
        raise UsageError(f"cannot read {path}: it {fault}", code="E005")
    check_size(path, ROWS)
    try:
        if path.suffix == ".json":
            rows = _json_list(path)
        else:
            with path.open("rb") as file:
                lines = _lines(file, path)
                rows = _json_rows(lines, path) if path.suffix in (".jsonl", ".ndjson") else _csv_rows(lines, path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", code="E005") from error
    if not rows:
        raise UsageError(f"{path} has no rows", code="L009")
    return rows


def _lines(file: BinaryIO, path: Path) -> Iterator[str]:
    for number, line in enumerate(lines_within(file, str(path)), 1):
        if number > MAX_ROWS + 1:
            raise UsageError(f"{path} is not read: it has more than {MAX_ROWS:,} rows", code="E026")
        yield _decoded(line, path, number)


def _decoded(content: bytes, path: Path, line: int) -> str:
    try:
        return content.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        line += content.count(b"\n", 0, error.start)
        raise UsageError(f"{path}:{line} is not UTF-8 text", code="L009") from error


def _json_list(path: Path) -> list[Any]:
    content = path.read_bytes()
    check_values(content, str(path), 10 * MAX_ROWS)
    text = _decoded(content, path, 1)
    try:
        document = orjson.loads(text or "null")
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path}:{error.lineno} is not JSON: {error.msg}", code="L009") from error
    if not isinstance(document, list):
        raise UsageError(f"{path} is no list: a feeder's JSON file is a list of rows", code="L009")
    return document


def _json_rows(lines: Iterator[str], path: Path) -> list[Any]:
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            raise UsageError(f"{path}:{number} is not JSON: {error.msg}", code="L009") from error
    return rows


def _csv_rows(lines: Iterator[str], path: Path) -> list[Mapping[str, str]]:
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.reader(lines, strict=True)
    rows: list[Mapping[str, str]] = []
    try:
        names = [name.strip() for name in next(reader, [])]
        if not all(names) or len(set(names)) < len(names):
            raise UsageError(f"{path}:1 must name each column once: {', '.join(names) or 'it is empty'}", code="L009")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                raise UsageError(
                    f"{path}:{reader.line_num} has {len(cells)} values for {len(names)} columns", code="L009"
                )
            rows.append(dict(zip(names, cells, strict=True)))
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num} is no CSV: {error}", code="L009") from error
    return rows
