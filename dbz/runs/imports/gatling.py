"""Gatling: `js/stats.json` and `js/global_stats.json` of its reports; times are whole milliseconds.

Which percentiles these have is a setting of the run (`gatling.conf`) that stands in the report's page only, so they are
read where `index.html` is where Gatling put it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dbz.bounded import RESULTS, read_within
from dbz.errors import UsageError
from dbz.measure.latency.series import COMPOSITE, HTTP, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, clean_name, count, failed_of, figure, mapping

_PERCENT = re.compile(r"<span>(\d+(?:\.\d+)?)(?:st|nd|rd|th) pct</span>")
_PERCENTILES = ("percentiles1", "percentiles2", "percentiles3", "percentiles4")
_NONE = "-"
NOTE = "Gatling's times are whole milliseconds."
_NAMELESS = (
    "Which percentiles the file has stands in index.html above its folder, which is not there: none of them is read. "
    "simulation.log has every sample."
)


def is_gatling(data: Any) -> bool:
    """Whether JSON is from a report of Gatling."""
    stats = data.get("stats", data) if isinstance(data, dict) else None
    return isinstance(stats, dict) and "numberOfRequests" in stats and "meanResponseTime" in stats


def read_gatling(data: Mapping[str, Any], where: Path) -> Imported:
    """All requests as Gatling adds them up, each request by its path, and groups as composites."""
    imported, percents = Imported("Gatling", notes=[NOTE]), _percents(where)
    if not percents:
        imported.notes.append(_NAMELESS)
    whole = mapping(data.get("stats", data), where, "stats")
    _add(imported, Series(HTTP, ""), whole, percents, where)
    for kind, path, stats in _parts(data.get("contents"), where):
        _add(imported, Series(kind, path), stats, percents, where)
    return imported


def _percents(where: Path) -> Sequence[str]:
    """The statistics that the four percentiles are; empty when that is not known."""
    page = where.absolute().parent.parent / "index.html"
    try:
        named = _PERCENT.findall(read_within(page, RESULTS).decode("utf-8", "replace"))
    except (OSError, UsageError):
        return ()
    return [f"p{float(percent):g}" for percent in named] if len(named) == len(_PERCENTILES) else ()


def _parts(contents: Any, where: Path) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Kind, path and figures of each request and group below."""
    for each in mapping(contents, where, "contents").values() if contents is not None else ():
        part = mapping(each, where, "contents")
        kind = HTTP if part.get("type") == "REQUEST" else COMPOSITE
        yield kind, clean_name(part.get("path") or part.get("name")), mapping(part.get("stats"), where, "stats")
        yield from _parts(part.get("contents"), where)


def _add(imported: Imported, series: Series, stats: Mapping[str, Any], percents: Sequence[str], where: Path) -> None:
    requests = _outcomes(stats, "numberOfRequests", where)
    attempts = count(requests, "total", where)
    if not attempts:
        return
    failed = failed_of(attempts, count(requests, "ko", where), where, series.name or "all requests")
    keys = {"mean": "meanResponseTime", "min": "minResponseTime", "max": "maxResponseTime"}
    keys |= dict(zip(percents, _PERCENTILES, strict=False))
    outcomes = {stat: _outcomes(stats, key, where) for stat, key in keys.items() if key in stats}
    imported.add(
        series,
        Summary(
            count=attempts,
            errors=failed,
            rate_per_s=figure(_outcomes(stats, "meanNumberOfRequestsPerSecond", where), "total", where),
            latencies_ms=_figures(outcomes, "total", where),
            success_ms=_figures(outcomes, "ok", where) if failed < attempts else {},
            rounding=lambda _value_ms: 1.0,
            in_total=series.kind == HTTP,
        ),
    )


def _figures(outcomes: Mapping[str, Mapping[str, Any]], of: str, where: Path) -> dict[str, float]:
    found = {stat: figure(by_outcome, of, where) for stat, by_outcome in outcomes.items()}
    return {stat: value for stat, value in found.items() if value is not None}


def _outcomes(stats: Mapping[str, Any], key: str, where: Path) -> dict[str, Any]:
    """A figure of all, of the successful and of the failed, where older versions write numbers as text and '-'."""
    given = mapping(stats.get(key) or {}, where, key)
    return {of: _number(value) for of, value in given.items() if value != _NONE}


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
