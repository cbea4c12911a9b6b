"""Artillery (`--output`), vegeta (`report -type=json`) and oha (`--output-format json`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbz.measure.latency.series import ACK, COMPOSITE, HTTP, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, mapping, number

_ARTILLERY_STATS = {"min": "min", "max": "max", "mean": "mean", "p50": "p50", "p75": "p75", "p90": "p90", "p95": "p95"}
_ARTILLERY_STATS |= {"p99": "p99", "p999": "p99.9"}
_ARTILLERY_NOTE = (
    "Artillery's response times are whole milliseconds, from the end of the request to the first byte of the answer."
)
_OHA_END = "aborted due to deadline"
"""What was under way when `-z` was over; it says nothing of the server."""
_BY_ENDPOINT = "plugins.metrics-by-endpoint."
_ENDPOINT = re.compile(re.escape(_BY_ENDPOINT) + r"(?P<name>.+)\.(codes|errors)\.")


def is_artillery(data: Any) -> bool:
    """Whether JSON is a report of Artillery."""
    return isinstance(data, dict) and isinstance(data.get("aggregate"), dict) and "counters" in data["aggregate"]


def read_artillery(data: Mapping[str, Any], where: Path) -> Imported:
    """Requests, sockets and sessions; a request without an answer and one with a status from 400 up have failed.

    What was never answered has failures and no latencies.
    """
    whole = data["aggregate"]
    counters = mapping(whole["counters"], where, "aggregate.counters")
    figures = mapping(whole.get("summaries", {}), where, "aggregate.summaries")
    seconds = (whole.get("lastCounterAt", 0) - whole.get("firstCounterAt", 0)) / 1000
    imported = Imported("Artillery")
    for series, name in _artillery_names(counters).items():
        found = figures.get(name) or {}
        count, errors = _artillery_counts(counters, series, int(found.get("count", 0)))
        if count:
            rate = count / seconds if seconds > 0 else None
            latencies = {ours: number(found, key, where) for key, ours in _ARTILLERY_STATS.items() if key in found}
            rounding = _artillery_http_rounding_ms if series.kind == HTTP else _artillery_rounding_ms
            imported.summaries[series] = Summary(count, errors, rate, latencies, rounding)
    if Series(HTTP, "") in imported.summaries:
        imported.notes.append(_ARTILLERY_NOTE)
    return imported


def _artillery_names(counters: Mapping[str, Any]) -> dict[Series, str]:
    """What a report may have figures of, and what it calls them."""
    names = {Series(HTTP, ""): "http.response_time", Series(ACK, ""): "socketio.response_time"}
    names[Series(COMPOSITE, "session")] = "vusers.session_length"
    for counter in counters:
        match = _ENDPOINT.match(counter)
        if match:
            names[Series(HTTP, match["name"])] = f"{_BY_ENDPOINT}response_time.{match['name']}"
    return names


def _artillery_rounding_ms(value_ms: float) -> float:
    """By how much a percentile may be off: its sketch knows it to 1 %, and it is written with one decimal."""
    return value_ms / 100 + 0.05


def _artillery_http_rounding_ms(value_ms: float) -> float:
    """The same for HTTP, which is measured in whole milliseconds."""
    return value_ms / 100 + 0.5


def _artillery_counts(counters: Mapping[str, Any], series: Series, answered: int) -> tuple[int, int]:
    """Attempts and failed ones."""
    if series.kind == ACK:
        return answered, 0
    if series.kind == COMPOSITE:
        failed = int(counters.get("vusers.failed", 0))
        return answered + failed, failed
    prefix = f"{_BY_ENDPOINT}{series.name}." if series.name else "http."
    refused = sum(
        count for name, count in counters.items() if name.startswith((f"{prefix}codes.4", f"{prefix}codes.5"))
    )
    if series.name:
        lost = sum(count for name, count in counters.items() if name.startswith(f"{prefix}errors."))
    else:
        lost = max(int(counters.get("http.requests", 0)) - answered, 0)
    return answered + int(lost), int(refused + lost)


def is_vegeta(data: Any) -> bool:
    """Whether JSON is a report of vegeta."""
    return isinstance(data, dict) and isinstance(data.get("latencies"), dict) and "status_codes" in data


def read_vegeta(data: Mapping[str, Any], where: Path) -> Imported:
    """One series of requests; vegeta's times are nanoseconds."""
    count = int(number(data, "requests", where))
    keys = {"mean": "mean", "50th": "p50", "90th": "p90", "95th": "p95", "99th": "p99", "max": "max", "min": "min"}
    latencies = {ours: data["latencies"][key] / 1e6 for key, ours in keys.items() if key in data["latencies"]}
    errors = round((1 - number(data, "success", where)) * count)
    imported = Imported("vegeta", notes=["vegeta's latencies begin when a worker is free, not when a request was due."])
    if count:
        imported.summaries[Series(HTTP, "")] = Summary(count, errors, number(data, "rate", where), latencies)
    return imported


def is_oha(data: Any) -> bool:
    """Whether JSON is a report of oha."""
    return isinstance(data, dict) and "latencyPercentiles" in data and isinstance(data.get("summary"), dict)


def read_oha(data: Mapping[str, Any], where: Path) -> Imported:
    """One series of requests; oha's times are seconds, and its success rate counts any answer, even a 500."""
    codes = mapping(data.get("statusCodeDistribution", {}), where, "statusCodeDistribution")
    failures = mapping(data.get("errorDistribution", {}), where, "errorDistribution")
    unanswered = sum(times for error, times in failures.items() if error != _OHA_END)
    count = int(sum(codes.values()) + unanswered)
    errors = int(sum(times for code, times in codes.items() if code >= "400") + unanswered)
    whole = mapping(data["summary"], where, "summary")
    latencies = {key: value * 1000 for key, value in data["latencyPercentiles"].items() if value is not None}
    named = {"mean": whole.get("average"), "max": whole.get("slowest"), "min": whole.get("fastest")}
    latencies |= {key: value * 1000 for key, value in named.items() if value is not None}
    imported = Imported("oha")
    if count:
        rate = count / whole["total"] if whole.get("total") else None
        imported.summaries[Series(HTTP, "")] = Summary(count, errors, rate, latencies)
    return imported
