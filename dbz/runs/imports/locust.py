"""Locust: the file `…_stats.csv` of `--csv`, and the list of `--json`.

Locust keeps two digits of a response time (banker's rounding to 1, 10, 100 or 1,000 ms) and puts failed requests among
the answered ones. So a percentile is known to half a step only, and with f failures among n requests the f fastest are
taken for the failed ones: whatever they were, no percentile can be worse than that.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dbz.errors import UsageError
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import ACK, CONNECT, HTTP, OTHER, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, mapping, number

_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
_KINDS = {"WS": CONNECT, "WSC": ACK}
_WITHOUT_LATENCY = {"WSE", "WSS", "WSR"}
"""Socket.IO events that Locust logs as 0 ms, because it cannot measure them."""
_TIMED_NOTE = "Locust's response times have two digits: percentiles are known to half a step (5 ms below a second)."


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


def read_locust_json(rows: Sequence[Mapping[str, Any]], where: Path) -> Imported:
    """Histograms by operation."""
    imported = Imported("Locust", notes=[_TIMED_NOTE])
    begun, ended = [], []
    for row in rows:
        series = _series(str(row.get("method") or ""), str(row.get("name")))
        if series is None:
            continue
        ok = Histogram()
        for text, count in mapping(row["response_times"], where, "response_times").items():
            ok.record(_milliseconds(text, where), int(count))
        imported.latencies[series] = _without_fastest(ok, int(number(row, "num_failures", where)))
        begun.append(number(row, "start_time", where))
        ended.append(float(row.get("last_request_timestamp") or 0.0))
    imported.seconds = max(ended, default=0.0) - min(begun, default=0.0)
    return imported


def _milliseconds(text: str, where: Path) -> int:
    try:
        return round(float(text) * 1000)
    except ValueError:
        raise UsageError(f"{where}: '{text}' should be a response time in milliseconds") from None


def _without_fastest(every: Histogram, failures: int) -> Latency:
    """The latencies with so many of the fastest taken for failed ones."""
    ok, failed = Histogram(), Histogram()
    for _, high, count in every.buckets():
        bad = min(count, failures)
        failures -= bad
        if bad:
            failed.record(high, bad)
        if count > bad:
            ok.record(high, count - bad)
    return Latency(ok, failed, rounding_ms)


def read_locust_csv(text: str, where: Path) -> Imported:
    """Finished figures by operation."""
    if not text.replace('"', "").startswith("Type,Name,"):
        raise UsageError(f"{where} has no totals; give the file of the same run whose name ends in _stats.csv")
    imported = Imported("Locust", notes=[_TIMED_NOTE])
    rows = list(csv.DictReader(io.StringIO(text)))
    types = {row["Type"] for row in rows if row["Name"] != "Aggregated"}
    for row in rows:
        total = row["Name"] == "Aggregated" and not row["Type"]
        series = (
            Series(HTTP, "") if total and types <= _METHODS else None if total else _series(row["Type"], row["Name"])
        )
        count = int(_cell(row, "Request Count", where) or 0)
        if series is None or not count:
            continue
        stats = {f"p{key.removesuffix('%')}": _cell(row, key, where) for key in row if key and key.endswith("%")}
        stats |= {"mean": _cell(row, "Average Response Time", where), "max": _cell(row, "Max Response Time", where)}
        imported.summaries[series] = Summary(
            count=count,
            errors=int(_cell(row, "Failure Count", where) or 0),
            rate_per_s=_cell(row, "Requests/s", where),
            latencies_ms={stat: value for stat, value in stats.items() if value is not None},
            rounding=rounding_ms,
        )
    return imported


def _cell(row: Mapping[str, str], key: str, where: Path) -> float | None:
    text = row.get(key) or "N/A"
    try:
        return None if text == "N/A" else float(text)
    except ValueError:
        raise UsageError(f"{where}: '{text}' under '{key}' should be a number") from None


def _series(kind: str, name: str) -> Series | None:
    if kind in _WITHOUT_LATENCY:
        return None
    if kind in _METHODS:
        return Series(HTTP, f"{kind} {name}")
    return Series(_KINDS.get(kind, OTHER), name if kind in _KINDS else f"{kind} {name}".strip())
