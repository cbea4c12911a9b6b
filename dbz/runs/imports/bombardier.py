"""bombardier: `--format=json --print=result`; its times are whole microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbz.measure.latency.series import HTTP, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, count, figure, mapping, sequence
from dbz.runs.imports.printed_reports.figures import printed_number

_CODES = ("req1xx", "req2xx", "req3xx", "req4xx", "req5xx", "others")
_REFUSED = ("req4xx", "req5xx")
_NOTE = "bombardier's latencies begin when a connection is free, not when a request was due."


def is_bombardier(data: Any) -> bool:
    """Whether JSON is a report of bombardier."""
    result = data.get("result") if isinstance(data, dict) and isinstance(data.get("spec"), dict) else None
    return isinstance(result, dict) and "timeTakenSeconds" in result and any(code in result for code in _CODES)


def read_bombardier(data: Mapping[str, Any], where: Path) -> Imported:
    """One series of requests; what got no whole answer has a time too, until it was given up."""
    result = mapping(data["result"], where, "result")
    attempts = sum(count(result, code, where) for code in _CODES)
    rows = [mapping(row, where, "errors") for row in sequence(result.get("errors") or [], where, "errors")]
    broken = sum(count(row, "count", where) for row in rows)
    refused, strange = (sum(count(result, code, where) for code in codes) for codes in (_REFUSED, ("others",)))
    seconds = figure(result, "timeTakenSeconds", where) or 0.0
    imported = Imported("bombardier", notes=[_NOTE], seconds=seconds)
    if attempts:
        imported.summaries[Series(HTTP, "")] = Summary(
            count=attempts,
            # Most errors have no status, which makes them "others"; one within a body has its answer's.
            errors=min(refused + max(strange, broken), attempts),
            rate_per_s=attempts / seconds if seconds else None,
            latencies_ms=_latencies(mapping(result.get("latency") or {}, where, "latency"), where),
            rounding=lambda _value_ms: 0.0005,
        )
    return imported


def _latencies(latency: Mapping[str, Any], where: Path) -> dict[str, float]:
    """By statistic; the percentiles are there with `--latencies` only."""
    named = mapping(latency.get("percentiles") or {}, where, "percentiles")
    found = {stat: figure(latency, stat, where) for stat in ("mean", "max")}
    found |= {f"p{printed_number(percent.strip(), where):g}": figure(named, percent, where) for percent in named}
    return {stat: value / 1000 for stat, value in found.items() if value is not None}
