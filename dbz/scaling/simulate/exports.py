"""What CloudWatch gives out as a load: a CSV of its console, or the JSON of GetMetricData and GetMetricStatistics.

Each series is known by the metric that its label, its id or the head of its column names. Several files are one
recording: GetMetricStatistics has one metric a file.

A console's CSV has a column for each series below five rows of words: `Id`, `StatusCode`, `Messages`, `Full label` and
`Label`. The full label says where the metric is from, its name, its statistic and its period in seconds, as in
`eu-west-1:AWS/ECS ClusterName:c ServiceName:api CPUUtilization Average 60`. Times are `2026/02/14 14:20:00`.
"""

from __future__ import annotations

import csv
import io
import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from dbz.bounded import parse_json
from dbz.errors import ConfigError, Problem

METRICS = {
    "RequestCountPerTarget": "requests by task",
    "RequestCount": "requests",
    "CPUUtilization": "cpu",
    "MemoryUtilization": "memory",
    "RunningTaskCount": "tasks",
    "DesiredTaskCount": "tasks",
    "ActiveConnections": "connections by task",
}
"""What each metric of CloudWatch is in a trace; a longer name stands before one that it contains."""
_COLUMNS = ("requests", "cpu", "memory", "tasks", "connections")
_SUMS = ("requests", "requests by task")
"""What is counted in a period; everything else is a mean."""
_STATISTICS = ("Average", "Sum", "Maximum", "Minimum", "SampleCount")
_FAILED = ("InternalError", "Forbidden", "ForbiddenRequired")
"""What `StatusCode` says of a series that CloudWatch could not give."""
_FULL_LABEL = re.compile(r"\s(\S+)\s+(\d+)$")
"""The statistic and the period at the end of a full label."""
MOST_ROWS = 31 * 86_400


@dataclass(frozen=True)
class Recorded:
    """One metric as it was recorded."""

    column: str
    """What it is in a trace."""
    label: str
    points: Mapping[float, float]
    """Its values by the beginning of their periods, in seconds since 1970."""
    said_s: float = 0.0
    """The period that the file names; 0: none."""

    @property
    def period_s(self) -> float:
        """The period of a datapoint in seconds: as it is said, else the longest that fits between all of them; 0 with
        fewer than two."""
        gaps = [round(after - before) for before, after in pairwise(sorted(self.points))]
        return self.said_s or float(math.gcd(*gaps))


_LONGEST_HEAD = 10_000


def is_export(text: str) -> bool:
    """Whether a file is JSON, or a CSV without a column that is called `time`."""
    head = text[:_LONGEST_HEAD].split("\n", 1)[0]
    return is_json(text) or "time" not in [cell.strip().strip('"').lower() for cell in head.split(",")]


def is_json(text: str) -> bool:
    """Whether a text begins as a JSON document does."""
    return text[:_LONGEST_HEAD].lstrip()[:1] in ("{", "[")


def read_export(path: Path, text: str) -> list[Recorded]:
    """The series of one file; `ConfigError` when it is none that CloudWatch makes."""
    if is_json(text):
        return _of_json(path, text)
    return _of_csv(path, text)


def rows_of(series: Sequence[Recorded], where: str, tasks: int | None) -> list[tuple[float, dict[str, float | None]]]:
    """All series as rows of a trace: (seconds, {column: value}); None where nothing was recorded.

    One a period, but for those that only say again what the one before says, the last two excepted: a month may have
    2.7 million periods, most of which are a gap. `tasks` is how many ran where no series says so. `ConfigError` when
    they are no load.
    """
    by_column: dict[str, Recorded] = {}
    for one in sorted(series, key=lambda each: "Desired" in each.label):
        known = by_column.setdefault(one.column, one)
        if known is not one and one.column != "tasks":
            raise _wrong(where, f"'{known.label}' and '{one.label}' are both {one.column}: leave one of them out")
    if not {"requests", "requests by task", "cpu"} & by_column.keys():
        raise _wrong(where, "none of its metrics is a load", ", ".join(METRICS))
    if "requests" not in by_column and "tasks" not in by_column and tasks is None:
        what = "how many tasks ran is not in it: add RunningTaskCount (Container Insights), or say it"
        raise _wrong(where, what, "--recorded-tasks N")
    period_s = min(one.period_s for one in by_column.values())
    if period_s <= 0:
        raise _wrong(where, "needs at least two datapoints of each metric")
    begin = min(min(one.points) for one in by_column.values())
    end = max(max(one.points) for one in by_column.values())
    if (end - begin) / period_s > MOST_ROWS or end - begin > MOST_ROWS:
        raise _wrong(where, "covers more than 31 days")
    looks = {column: _Look(one) for column, one in by_column.items()}
    last = round((end - begin) / period_s)
    rows: list[tuple[float, dict[str, float | None]]] = []
    for number in range(last + 1):
        row = _row(looks, begin + number * period_s, tasks)
        if not rows or row != rows[-1][1] or number >= last - 1:
            rows.append((begin + number * period_s, row))
    return rows


class _Look:
    """Looks a series up at a time: a datapoint counts for its period."""

    def __init__(self, series: Recorded) -> None:
        self._times = sorted(series.points)
        self._points, self._period_s = series.points, series.period_s
        self._divisor = series.period_s if series.column in _SUMS else 1.0

    def at(self, at_s: float) -> float | None:
        number = bisect_right(self._times, at_s) - 1
        if number < 0 or at_s - self._times[number] >= self._period_s:
            return None
        return self._points[self._times[number]] / self._divisor


def _row(looks: Mapping[str, _Look], at_s: float, recorded: int | None) -> dict[str, float | None]:
    values = {column: look.at(at_s) for column, look in looks.items()}
    row: dict[str, float | None] = {name: values.get(name) for name in _COLUMNS if name in values}
    running = values.get("tasks") or (None if recorded is None else float(recorded))
    row["tasks"] = running
    for name in ("requests", "connections"):
        share = values.get(f"{name} by task")
        if share is not None and running is not None and row.get(name) is None:
            row[name] = share * running
    return row


def _wrong(where: str, what: str, allowed: str = "") -> ConfigError:
    return ConfigError([Problem(where, what, allowed)], code="S021")


def _column(words: str) -> str:
    """What a series is, by the words that are said of it; empty: nothing that a trace has."""
    whole = words.strip().lower()
    if whole in _COLUMNS:
        return whole
    squeezed = re.sub(r"[\s_]", "", words).lower()
    return next((column for name, column in METRICS.items() if name.lower() in squeezed), "")


def _of_json(path: Path, text: str) -> list[Recorded]:
    try:
        document = parse_json(text, str(path))
    except ValueError as error:
        raise _wrong(str(path), f"is no JSON: {error}") from None
    found: list[Recorded] = []
    for answer in document if isinstance(document, list) else [document]:
        if isinstance(answer, dict) and isinstance(answer.get("MetricDataResults"), list):
            found += _merged(path, answer["MetricDataResults"])
        elif isinstance(answer, dict) and isinstance(answer.get("Datapoints"), list):
            found += _statistics(path, answer)
        else:
            what = "is neither an answer of GetMetricData (MetricDataResults) nor of GetMetricStatistics (Datapoints)"
            raise _wrong(str(path), what)
    return found


def _merged(path: Path, results: Sequence[Any]) -> Iterator[Recorded]:
    """The series of GetMetricData; pages of one are put together."""
    series: dict[tuple[str, str], dict[float, float]] = {}
    for one in results:
        try:
            key = str(one.get("Label", "")), str(one.get("Id", ""))
            pairs = list(zip(one["Timestamps"], one["Values"], strict=True))
            series.setdefault(key, {}).update((_time(at), _number(value)) for at, value in pairs)
            status = str(one.get("StatusCode", ""))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _wrong(str(path), f"a series of it cannot be read: {error}") from None
        if _column(key[0]) or _column(key[1]):
            _check_status(path, key[0] or key[1], status)
    for (label, name), points in series.items():
        column = _column(label) or _column(name)
        if column:
            yield Recorded(column, label or name, points)


def _statistics(path: Path, answer: Mapping[str, Any]) -> Iterator[Recorded]:
    """The one series of GetMetricStatistics, whose datapoints come in any order."""
    label = str(answer.get("Label", ""))
    column = _column(label)
    if not column:
        return
    wanted = "Sum" if column in _SUMS else "Average"
    points: dict[float, float] = {}
    for one in answer["Datapoints"]:
        if not isinstance(one, dict) or "Timestamp" not in one:
            raise _wrong(str(path), f"a datapoint of {label} has no Timestamp")
        if wanted not in one:
            there = ", ".join(name for name in _STATISTICS if name in one) or "none"
            raise _wrong(str(path), f"{label} needs the statistic {wanted}; it has {there}")
        try:
            points[_time(one["Timestamp"])] = _number(one[wanted])
        except (TypeError, ValueError) as error:
            raise _wrong(str(path), f"a datapoint of {label} cannot be read: {error}") from None
    yield Recorded(column, label, points)


def _of_csv(path: Path, text: str) -> list[Recorded]:
    """The console's: rows of words about each column, then rows that begin with a time."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        rows = [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise _wrong(f"{path}:{reader.line_num}", str(error)) from None
    first = next((number for number, row in enumerate(rows) if _is_time(row[0])), len(rows))
    heads, body = rows[:first], rows[first:]
    if not heads or not body:
        what = "the header needs 'time', and 'requests' or 'cpu,tasks'; or be that of a CSV of CloudWatch's console"
        raise _wrong(f"{path}:1", what)
    found = []
    for at in range(1, max(len(row) for row in heads)):
        words = [row[at] for row in heads if at < len(row)]
        column = next(filter(None, map(_column, words)), "")
        if not column:
            continue
        said = _said_of(heads, at)
        _check_said(path, said, column)
        points: dict[float, float] = {}
        for row in body:
            cell = row[at].strip() if at < len(row) else ""
            try:
                if cell:
                    points[_time(row[0])] = _number(cell)
            except ValueError:
                raise _wrong(str(path), f"'{cell}' at {row[0]} is not a number from 0 up") from None
        found.append(Recorded(column, next(word for word in words if _column(word)), points, said.period_s))
    return found


@dataclass(frozen=True)
class _Said:
    """What the rows above a column say of it."""

    statistic: str
    """Empty: they do not say."""
    period_s: float
    """0: they do not say."""
    status: str
    """Whether CloudWatch gave all of it; empty: they do not say."""


def _said_of(heads: Sequence[Sequence[str]], at: int) -> _Said:
    rows = {row[0].strip().lower(): row[at].strip() for row in reversed(heads) if at < len(row)}
    last = _FULL_LABEL.search(rows.get("full label", ""))
    statistic, period = last.groups() if last else ("", "")
    period = rows.get("period") or period
    return _Said(
        rows.get("statistic") or statistic, float(period) if period.isdecimal() else 0.0, rows.get("statuscode", "")
    )


def _check_said(path: Path, said: _Said, column: str) -> None:
    """`ConfigError` when it is another statistic than the one that is a load, or not all that was asked for."""
    wanted = "Sum" if column in _SUMS else "Average"
    if said.statistic and said.statistic.lower() != wanted.lower() and column != "tasks":
        raise _wrong(str(path), f"{column} needs the statistic {wanted}, not {said.statistic}")
    _check_status(path, column, said.status)


def _check_status(path: Path, what: str, status: str) -> None:
    """`ConfigError` when CloudWatch says that it failed, or that the series is not allowed to be read."""
    if status in _FAILED:
        raise _wrong(str(path), f"{what} is not whole: CloudWatch says {status} of it", "ask for it again")


def _is_time(cell: str) -> bool:
    try:
        _time(cell.strip())
    except ValueError:
        return False
    return True


def _time(value: Any) -> float:
    """A timestamp in seconds since 1970: a number (of milliseconds, where it is that large) or a date with a time."""
    if isinstance(value, int | float) or re.fullmatch(r"\d+(\.\d+)?", str(value)):
        seconds = float(value)
        return seconds / 1000 if seconds > 1e11 else seconds
    text = str(value).strip().replace("/", "-")
    if not re.match(r"\d{4}-\d\d?-\d\d?[T ]\d", text):
        raise ValueError(f"'{value}' is no time")
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(value: Any) -> float:
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{value} is not a number from 0 up")
    return number
