"""vegeta: `report -type=json`; its times are nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbz.errors import UsageError
from dbz.measure.latency.series import HTTP, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, count, counts, figure, mapping, number

_STATS = {"mean": "mean", "50th": "p50", "90th": "p90", "95th": "p95", "99th": "p99", "max": "max", "min": "min"}
NOTE = "vegeta's latencies begin when a worker is free, not when a request was due."


def is_vegeta(data: Any) -> bool:
    """Whether JSON is a report of vegeta."""
    return isinstance(data, dict) and isinstance(data.get("latencies"), dict) and "status_codes" in data


def read_vegeta(data: Mapping[str, Any], where: Path) -> Imported:
    """One series of requests; those that got no answer (status 0) have a time too, until they were given up."""
    number(data, "requests", where)
    attempts = count(data, "requests", where)
    named = mapping(data["latencies"], where, "latencies")
    nanoseconds = {ours: figure(named, theirs, where) for theirs, ours in _STATS.items()}
    imported = Imported("vegeta", notes=[NOTE])
    if attempts:
        errors = attempts - _successes(data, attempts, where)
        imported.summaries[Series(HTTP, "")] = Summary(
            count=attempts,
            errors=errors,
            latencies_ms={stat: value / 1e6 for stat, value in nanoseconds.items() if value is not None},
            successes_per_s=_throughput(data, attempts - errors, where),
        )
    return imported


def _successes(data: Mapping[str, Any], attempts: int, where: Path) -> int:
    """Answers with a status from 200 to 399, as vegeta counts them; older ones have only the share."""
    codes = counts(data.get("status_codes") or {}, where, "status_codes")
    if sum(codes.values()) == attempts:
        return sum(times for code, times in codes.items() if code[:1] in ("2", "3"))
    share = number(data, "success", where)
    if share > 1:
        raise UsageError(f"{where}: 'success' should be a share from 0 to 1, not {share:g}", code="R004")
    return round(share * attempts)


def _throughput(data: Mapping[str, Any], successes: int, where: Path) -> float | None:
    """Successes a second until the last answer; its "rate" is what was sent. A single request has neither."""
    duration_ns = figure(data, "duration", where) or 0.0
    if not duration_ns:
        return None
    given = figure(data, "throughput", where)
    return given if given is not None else successes / ((duration_ns + (figure(data, "wait", where) or 0.0)) / 1e9)
