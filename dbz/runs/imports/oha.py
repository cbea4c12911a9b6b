"""oha: `--output-format json` (before 1.10 `--json`); its times are seconds, and are of answered requests only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbz.measure.latency.series import HTTP, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, counts, figure, mapping

_DEADLINE = {"aborted due to deadline", "deadline"}
"""What oha calls that which was under way when `-z` was over (the latter before 1.2); it says nothing of the server."""
_PERCENTILES = ("latencyPercentiles", "latencyDistribution")
"""What the first versions called it is the latter."""


def is_oha(data: Any) -> bool:
    """Whether JSON is a report of oha."""
    if not isinstance(data, dict) or not isinstance(data.get("summary"), dict):
        return False
    return "statusCodeDistribution" in data and any(key in data for key in _PERCENTILES)


def read_oha(data: Mapping[str, Any], where: Path) -> Imported:
    """One series of requests; oha's success rate counts any answer, even a 500, so it is not read."""
    codes = counts(data.get("statusCodeDistribution") or {}, where, "statusCodeDistribution")
    failures = counts(data.get("errorDistribution") or {}, where, "errorDistribution")
    whole = mapping(data["summary"], where, "summary")
    answered = sum(codes.values())
    unanswered = sum(times for error, times in failures.items() if error not in _DEADLINE)
    broken_off = sum(times for error, times in failures.items() if error in _DEADLINE)
    every = _percentiles(data, next(key for key in _PERCENTILES if key in data), where)
    successful = _percentiles(data, "latencyPercentilesSuccessful", where)
    redirected = any(code[:1] == "3" for code in codes)
    imported = Imported("oha")
    if broken_off:
        imported.notes.append(
            f"oha broke {broken_off:,} requests off when its time was over: they are no failures, and how "
            "long they had waited is not in the file."
        )
    if answered + unanswered:
        seconds = figure(whole, "total", where)
        named = {"mean": "average", "max": "slowest", "min": "fastest"}
        ends = {stat: value for stat, key in named.items() if (value := figure(whole, key, where)) is not None}
        imported.summaries[Series(HTTP, "")] = Summary(
            count=answered + unanswered,
            errors=sum(times for code, times in codes.items() if code[:1] in "45") + unanswered,
            rate_per_s=(answered + unanswered) / seconds if seconds else None,
            latencies_ms={stat: value * 1000 for stat, value in (ends | every).items() if answered},
            # oha calls a 3xx not successful, we do: without one both mean the same.
            success_ms={} if redirected else {stat: value * 1000 for stat, value in successful.items()},
            untimed=unanswered,
            errors_known="errorDistribution" in data,
        )
    return imported


def _percentiles(data: Mapping[str, Any], key: str, where: Path) -> dict[str, float]:
    """By statistic, in seconds; null where there were too few samples."""
    named = mapping(data.get(key) or {}, where, key)
    found = {f"p{float(stat.removeprefix('p')):g}": figure(named, stat, where) for stat in named}
    return {stat: value for stat, value in found.items() if value is not None}
