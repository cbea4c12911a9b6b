"""autocannon: `--json`; its times are whole milliseconds, and are of answered requests only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbz.measure.latency.series import HTTP, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, count, figure, mapping

_STATS = {"mean": "mean", "min": "min", "max": "max"}
_PERCENTILE = re.compile(r"p\d+(?:_\d+)?")
_ANSWERED = ("1xx", "2xx", "3xx", "4xx", "5xx")
_REFUSED = ("4xx", "5xx")
_NOTE = (
    "autocannon's latencies are whole milliseconds, and begin when a connection is free, not when a request was due."
)


def is_autocannon(data: Any) -> bool:
    """Whether JSON is a report of autocannon."""
    return (
        isinstance(data, dict)
        and isinstance(data.get("latency"), dict)
        and isinstance(data.get("requests"), dict)
        and "non2xx" in data
    )


def read_autocannon(data: Mapping[str, Any], where: Path) -> Imported:
    """One series of requests. Timeouts are among the errors, and what was not the expected answer is one too."""
    answered, refused = (sum(count(data, key, where) for key in keys) for keys in (_ANSWERED, _REFUSED))
    lost, wrong = count(data, "errors", where), count(data, "mismatches", where)
    latency = mapping(data["latency"], where, "latency")
    timed = count(latency, "totalCount", where) if "totalCount" in latency else answered
    seconds = figure(data, "duration", where)
    imported = Imported("autocannon", notes=[_NOTE])
    if answered + lost:
        imported.summaries[Series(HTTP, "")] = Summary(
            count=answered + lost,
            errors=min(max(refused, wrong), answered) + lost,
            rate_per_s=(answered + lost) / seconds if seconds else None,
            latencies_ms=_latencies(latency, where) if timed else {},
            rounding=lambda _value_ms: 1.0,
            # With --excludeErrorStats only answers from 200 to 299 have times; redirects count as successes here.
            untimed=lost + min(max(answered - timed, 0), refused),
            # Some of the wrong answers may be refusals, so it is only known that there are not fewer.
            errors_known=not (refused and wrong),
        )
    return imported


def _latencies(latency: Mapping[str, Any], where: Path) -> dict[str, float]:
    named = _STATS | {key: f"p{float(key[1:].replace('_', '.')):g}" for key in latency if _PERCENTILE.fullmatch(key)}
    found = {ours: figure(latency, theirs, where) for theirs, ours in named.items()}
    return {stat: value for stat, value in found.items() if value is not None}
