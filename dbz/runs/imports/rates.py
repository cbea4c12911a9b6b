"""Artillery (`--output`), vegeta (`report -type=json`) and oha (`--output-format json`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbz.measure.series import ACK, COMPOSITE, HTTP, Series
from dbz.measure.summaries import Summary
from dbz.runs.imports.imported import Imported, mapping, number

_ARTILLERY_STATS = {"min": "min", "max": "max", "mean": "mean", "p50": "p50", "p75": "p75", "p90": "p90", "p95": "p95"}
_ARTILLERY_STATS |= {"p99": "p99", "p999": "p99.9"}
_OHA_END = "aborted due to deadline"
"""What was under way when `-z` was over; it says nothing of the server."""
_BY_ENDPOINT = "plugins.metrics-by-endpoint."


def is_artillery(data: Any) -> bool:
    """Whether JSON is a report of Artillery."""
    return isinstance(data, dict) and isinstance(data.get("aggregate"), dict) and "counters" in data["aggregate"]


def read_artillery(data: Mapping[str, Any], where: Path) -> Imported:
    """Requests, sockets and sessions; a request without an answer and one with a status from 400 up have failed."""
    whole = data["aggregate"]
    counters = mapping(whole["counters"], where, "aggregate.counters")
    figures = mapping(whole.get("summaries", {}), where, "aggregate.summaries")
    imported = Imported("Artillery")
    names = {"http.response_time": Series(HTTP, ""), "socketio.response_time": Series(ACK, "")}
    names["vusers.session_length"] = Series(COMPOSITE, "session")
    prefix = f"{_BY_ENDPOINT}response_time."
    names |= {name: Series(HTTP, name.removeprefix(prefix)) for name in figures if name.startswith(prefix)}
    for name, series in names.items():
        if name not in figures or not figures[name].get("count"):
            continue
        answered = int(number(figures[name], "count", where))
        count, errors = _artillery_counts(counters, series, answered)
        rate = whole.get("rates", {}).get("http.request_rate") if name == "http.response_time" else None
        latencies = {ours: float(figures[name][key]) for key, ours in _ARTILLERY_STATS.items() if key in figures[name]}
        imported.summaries[series] = Summary(count, errors, rate, latencies, lambda _value_ms: 0.05)
    if Series(HTTP, "") in imported.summaries:
        imported.notes.append("Artillery's response times end at the first byte of the answer.")
    return imported


def _artillery_counts(counters: Mapping[str, Any], series: Series, answered: int) -> tuple[int, int]:
    if series.kind != HTTP:
        return answered, 0
    prefix = f"{_BY_ENDPOINT}{series.name}.codes." if series.name else "http.codes."
    refused = sum(
        count for name, count in counters.items() if name.startswith(prefix) and name.removeprefix(prefix)[:1] in "45"
    )
    count = max(int(counters.get("http.requests", answered)), answered) if not series.name else answered
    return count, int(refused) + count - answered


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
