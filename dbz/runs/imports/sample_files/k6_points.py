"""k6: every single sample of a run, as `--out json=FILE` and `--out csv=FILE` write them, compressed or not.

Unlike a summary they have the times of failures apart from those of successes, and each operation by its name.
"""

from __future__ import annotations

import csv
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from dbz.bounded import texts_within
from dbz.errors import UsageError
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import HIGHEST_US, Histogram
from dbz.measure.latency.series import COMPOSITE, CONNECT, HTTP, MEASURE, Series
from dbz.runs.imports.imported import MOST, Imported, clean_name
from dbz.runs.imports.sample_files.opening import opened
from dbz.runs.imports.sample_files.samples import rfc3339_s

_CSV_HEAD = "metric_name,timestamp,metric_value"
_KINDS = {"ws_connecting": CONNECT, "iteration_duration": COMPOSITE, "group_duration": COMPOSITE}
_NAMES = {"iteration_duration": "iteration"}
_TIMES = frozenset({*_KINDS, "grpc_req_duration", "ws_session_duration", "ws_ping"})
"""Metrics of k6's own that are times, beside those of HTTP."""
_NO_NEWS = frozenset({"checks", "dropped_iterations", "data_sent", "data_received", "vus", "vus_max", "iterations"})
"""Metrics that every run has, and of which it is known that they are no times."""
_UNITS_S = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""From what number on a time since 1970 is one of nanoseconds, microseconds or milliseconds: how many make a second."""
_MOST_SERIES = 20_000
_SHOWN = 20


class _Point(NamedTuple):
    """One sample."""

    metric: str
    time_s: float
    """Since the epoch."""
    value: float
    tags: Mapping[str, str]


def is_k6_points(path: Path) -> bool:
    """Whether a file has the samples of k6, by its first line."""
    try:
        with opened(path) as file:
            line = next(texts_within(file, str(path)), "")
    except (OSError, ValueError, EOFError, zlib.error, UsageError):
        return False
    if line.startswith(_CSV_HEAD):
        return True
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and row.get("type") in ("Metric", "Point") and isinstance(row.get("metric"), str)


def read_k6_points(path: Path) -> Imported:
    """The histograms of all samples that are times; `UsageError` naming the line of one that cannot be read."""
    samples = _Samples()
    try:
        with opened(path) as file:
            lines = texts_within(file, str(path))
            first = next(lines, "")
            lines = chain([first], lines)
            for point in _of_csv(lines, path) if first.startswith(_CSV_HEAD) else samples.of_json(lines, path):
                samples.add(point, path)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}", code="E005") from error
    return samples.imported()


def _of_csv(lines: Iterable[str], path: Path) -> Iterator[_Point]:
    for number, row in enumerate(csv.DictReader(lines), 2):
        if None in row or None in row.values():
            raise UsageError(
                f"{path}:{number}: the line has not as many columns as the first; is it cut off?", code="R004"
            )
        try:
            name = row.pop("metric_name")
            yield _Point(name, _time_s(row.pop("timestamp")), float(row.pop("metric_value")), row)
        except KeyError as error:
            raise UsageError(f"{path}: there is no column {error}", code="R004") from error
        except ValueError as error:
            raise UsageError(f"{path}:{number}: {error}", code="R004") from error


def _time_s(text: str) -> float:
    """A time as `K6_CSV_TIME_FORMAT` has it written, as seconds since 1970."""
    if ":" in text:
        return rfc3339_s(text)
    time = float(text)
    return time / next((parts for least, parts in _UNITS_S if time >= least), 1.0)


class _Samples:
    """Samples by what they are of."""

    def __init__(self) -> None:
        self._latencies: dict[Series, Latency] = {}
        self._no_times: set[str] = set()
        self._unitless: set[str] = set()
        self._unread: set[str] = set()
        self._typed = False
        self._first_s, self._last_s = math.inf, -math.inf
        self._checks = self._dropped = self._guessed = 0

    def of_json(self, lines: Iterable[str], path: Path) -> Iterator[_Point]:
        """The samples in lines of JSON, among which are lines that say what each metric is."""
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                data, kind = row["data"], row["type"]
                if kind == "Metric":
                    self._typed = True
                    if data["type"] != "trend" or data["contains"] == "data":
                        self._no_times.add(row["metric"])
                    elif data["contains"] != "time":
                        self._unitless.add(row["metric"])
                elif kind == "Point":
                    tags = {str(key): str(value) for key, value in (data["tags"] or {}).items()}
                    yield _Point(str(row["metric"]), rfc3339_s(data["time"]), _number(data["value"]), tags)
            except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
                cut = "" if line.endswith("\n") else "; is it cut off?"
                raise UsageError(f"{path}:{number}: this is no sample of k6: {error!r}{cut}", code="R004") from error

    def add(self, point: _Point, path: Path) -> None:
        """Take a sample in."""
        self._first_s, self._last_s = min(self._first_s, point.time_s), max(self._last_s, point.time_s)
        if point.metric == "checks":
            self._checks += 1
        elif point.metric == "dropped_iterations":
            self._dropped += round(point.value)
        if point.metric != "http_req_duration" and not self._is_time(point.metric):
            if point.metric not in _NO_NEWS and not point.metric.startswith("http_req"):
                self._unread.add(point.metric)
            return
        if not 0 <= point.value <= MOST:
            raise UsageError(f"{path}: '{clean_name(point.metric)}' should be a time, not {point.value:g}", code="R004")
        latency = self._latencies.setdefault(_series_of(point), Latency(Histogram(), Histogram()))
        if len(self._latencies) > _MOST_SERIES:
            raise UsageError(
                f"{path} has more than {_MOST_SERIES:,} names; let the script group them by a `name` tag", code="R004"
            )
        failed = point.metric == "http_req_duration" and self._has_failed(point.tags)
        (latency.failed if failed else latency.ok).record(min(round(point.value * 1000), HIGHEST_US))

    def _is_time(self, metric: str) -> bool:
        """CSV does not say what a metric is, so only k6's own are known to be times there."""
        if metric in _TIMES:
            return True
        return self._typed and metric not in self._no_times and not metric.startswith("http_req_")

    def _has_failed(self, tags: Mapping[str, str]) -> bool:
        expected = tags.get("expected_response", "")
        if expected:
            return expected != "true"
        self._guessed += 1
        status = tags.get("status", "")
        return bool(tags.get("error") or tags.get("error_code")) or status == "0" or status >= "400"

    def imported(self) -> Imported:
        """All that was taken in."""
        seconds = max(self._last_s - self._first_s, 0.0) if self._latencies else 0.0
        imported = Imported("k6", latencies=self._latencies, seconds=seconds)
        imported.notes.append("k6's times of requests leave out connecting and TLS.")
        if self._checks:
            imported.notes.append("Checks are in k6's summary (--summary-export), and not read from its samples.")
        if self._unread:
            why = (
                "since they are no times" if self._typed else "since CSV does not say which are times (--out json does)"
            )
            imported.notes.append(f"Not read, {why}: {_listed(self._unread)}.")
        if unitless := {name for name in self._unitless if any(of.name == clean_name(name) for of in self._latencies)}:
            imported.notes.append(f"k6 knows no unit of {_listed(unitless)}: taken as milliseconds.")
        if self._guessed:
            imported.notes.append("k6 was told not to say which requests failed: those with a status of 400 and more.")
        if self._dropped:
            imported.notes.append(f"k6 dropped {self._dropped:,} iterations: the rate asked for was not reached.")
        return imported


def _listed(metrics: Iterable[str]) -> str:
    names = sorted(clean_name(metric) for metric in metrics)
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _series_of(point: _Point) -> Series:
    if point.metric == "http_req_duration":
        name = point.tags.get("name") or point.tags.get("url") or "?"
        return Series(HTTP, clean_name(f"{point.tags.get('method') or '?'} {name}"))
    name = _NAMES.get(point.metric, point.metric)
    return Series(_KINDS.get(point.metric, MEASURE), clean_name(name))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
