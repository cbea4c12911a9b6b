"""Locust: the files of `--csv`, of which `…_stats.csv` has the totals, and the list of `--json`.

Locust keeps two digits of a response time (banker's rounding to 1, 10, 100 or 1,000 ms) and puts failed requests among
the answered ones. So a percentile is known to half a step only, and with f failures among n requests the f fastest are
taken for the failed ones: whatever they were, no percentile can be worse than that.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dbz.errors import UsageError
from dbz.measure.latency.attempts import Latency, combined
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import ACK, CONNECT, HTTP, OTHER, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, clean_name, count, failed_of, figure, mapping, number

_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
_KINDS = {"WS": CONNECT, "WSC": ACK}
_WITHOUT_LATENCY = {"WSE", "WSS", "WSR"}
"""Socket.IO events that Locust logs as 0 ms, because it cannot measure them."""
_TIMED_NOTE = "Locust's response times have two digits: percentiles are known to half a step (5 ms below a second)."
_UNTIMED_NOTE = "Some requests of Locust have no response time: only those that failed are counted."
_LONGEST_FIELD = 16 * 1024 * 1024
"""In characters; a name of Locust is as long as the URL that was asked for."""
_PART = re.compile(r"(?P<run>.*)_(?P<kind>stats|stats_history|failures|exceptions)\.csv", re.DOTALL)
_EXCEPTIONS = Series(OTHER, "exceptions of tasks")


class CsvPart(NamedTuple):
    """One of the files that Locust writes of a run: the part of the name before it, and which it is."""

    run: str
    kind: str


def rounding_ms(value_ms: float) -> float:
    """By how much a response time of Locust may have been rounded."""
    return 0.5 if value_ms < 100 else 5.0 if value_ms < 1000 else 50.0 if value_ms < 10000 else 500.0


def is_locust_json(data: Any) -> bool:
    """Whether JSON is the list of Locust's `--json`."""
    return (
        isinstance(data, list) and all(isinstance(row, dict) and "response_times" in row for row in data) and bool(data)
    )


def is_locust_csv(text: str) -> bool:
    """Whether CSV is one of Locust's files."""
    first = text.partition("\n")[0].replace('"', "")
    return first.startswith(
        ("Type,Name,Request Count", "Timestamp,User Count,Type", "Method,Name,Error", "Count,Message")
    )


def run_of(path: Path) -> Path | None:
    """What the names of all files of a run begin with, if this is the one with the totals."""
    match = _PART.fullmatch(path.name)
    return path.parent / match["run"] if match and match["kind"] == "stats" else None


def part_of(path: Path) -> CsvPart | None:
    """Which of the other files of a run it is, by its name."""
    match = _PART.fullmatch(path.name)
    return CsvPart(match["run"], match["kind"]) if match and match["kind"] != "stats" else None


def read_locust_json(rows: Sequence[Mapping[str, Any]], where: Path) -> Imported:
    """Histograms by operation."""
    imported = Imported("Locust", notes=[_TIMED_NOTE])
    begun, ended = [], []
    for row in rows:
        series = _series(str(row.get("method") or ""), str(row.get("name")))
        if series is None:
            continue
        every = Histogram()
        times = mapping(row["response_times"], where, "response_times")
        for text in times:
            every.record(_microseconds(text, where), count(times, text, where))
        failures = count(row, "num_failures", where)
        untimed = count(row, "num_none_requests", where)
        failed_of(len(every) + untimed, failures, where, series.name)
        latency = _without_fastest(every, failures, min(untimed, failures))
        imported.latencies[series] = combined([*filter(None, [imported.latencies.get(series)]), latency])
        if untimed:
            imported.notes.append(_UNTIMED_NOTE)
        begun.append(number(row, "start_time", where))
        ended.append(figure(row, "last_request_timestamp", where) or 0.0)
    imported.seconds = max(max(ended, default=0.0) - min(begun, default=0.0), 0.0)
    return imported


def _microseconds(text: str, where: Path) -> int:
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = -1.0
    if not 0 <= milliseconds <= 1e12:
        raise UsageError(f"{where}: '{clean_name(text)}' should be a response time in milliseconds", code="R004")
    return round(milliseconds * 1000)


def _without_fastest(every: Histogram, failures: int, untimed: int) -> Latency:
    """The latencies with so many of the fastest taken for failed ones; `untimed` of the failures have no time."""
    ok, failed = Histogram(), Histogram()
    if untimed:
        failed.record(0, untimed)
    failures -= untimed
    for _, high, times in every.buckets():
        bad = min(times, failures)
        failures -= bad
        if bad:
            failed.record(high, bad)
        if times > bad:
            ok.record(high, times - bad)
    return Latency(ok, failed, rounding_ms)


def read_locust_csv(text: str, where: Path) -> Imported:
    """Finished figures by operation."""
    if not text.replace('"', "").startswith("Type,Name,"):
        raise UsageError(
            f"{where} has no totals; give the file of the same run whose name ends in _stats.csv", code="R004"
        )
    imported = Imported("Locust", notes=[_TIMED_NOTE])
    rows = list(_rows(text, where))
    types = {row.get("Type", "") for row in rows if not _is_total(row)}
    for row in rows:
        kind, name = row.get("Type") or "", row.get("Name") or ""
        series = _series(kind, name)
        if _is_total(row):
            series = Series(HTTP, "") if types <= _METHODS else None
        attempts = _whole(row, "Request Count", where)
        if series is None or not attempts:
            continue
        stats = {_stat(key): _cell(row, key, where) for key in row if key.endswith("%")}
        named = {"mean": "Average Response Time", "max": "Max Response Time", "min": "Min Response Time"}
        stats |= {stat: _cell(row, key, where) for stat, key in named.items()}
        summary = Summary(
            count=attempts,
            errors=failed_of(attempts, _whole(row, "Failure Count", where), where, name),
            rate_per_s=_cell(row, "Requests/s", where),
            latencies_ms={stat: value for stat, value in stats.items() if stat and value is not None},
            rounding=rounding_ms,
        )
        imported.add(series, summary)
    if rows and not any(map(_is_total, rows)):
        raise UsageError(
            f"{where} ends before the totals ('Aggregated') that Locust writes last; is it cut off?", code="R004"
        )
    return imported


def read_exceptions(text: str, where: Path) -> Imported:
    """Exceptions that tasks raised: attempts that failed, though none of them is a request."""
    raised = sum(_whole(row, "Count", where) for row in _rows(text, where))
    imported = Imported("Locust")
    if raised:
        imported.summaries[_EXCEPTIONS] = Summary(raised, raised, untimed=raised)
    return imported


def _rows(text: str, where: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV; `UsageError` for one that has not as many cells as there are columns."""
    before = csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            if None in row.values():
                raise UsageError(
                    f"{where}:{reader.line_num}: the line has not as many columns as the first; is it cut off?",
                    code="R004",
                )
            yield {key: value for key, value in row.items() if isinstance(key, str)}
    except csv.Error as error:
        raise UsageError(f"{where} is not a CSV that can be read: {error}", code="R004") from error
    finally:
        csv.field_size_limit(before)


def _is_total(row: Mapping[str, str]) -> bool:
    return row.get("Name") == "Aggregated" and not row.get("Type")


def _stat(column: str) -> str:
    """The statistic of a column such as `99.9%`; empty for one that is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", column)
    return f"p{float(match[1]):g}" if match else ""


def _cell(row: Mapping[str, str], key: str, where: Path) -> float | None:
    text = row.get(key) or "N/A"
    if text == "N/A":
        return None
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"{where}: '{text[:60]}' under '{key}' should be a number", code="R004") from None
    return number({key: value}, key, where)


def _whole(row: Mapping[str, str], key: str, where: Path) -> int:
    return count({key: _cell(row, key, where)}, key, where)


def _series(kind: str, name: str) -> Series | None:
    kind, name = clean_name(kind), clean_name(name)
    if kind in _WITHOUT_LATENCY:
        return None
    if kind in _METHODS:
        return Series(HTTP, f"{kind} {name}")
    return Series(_KINDS.get(kind, OTHER), name if kind in _KINDS else f"{kind} {name}".strip())
