"""Telling by its contents which tool wrote a file, and putting several files together."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dbz.errors import UsageError
from dbz.measure.budget.measuring import Measurements
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import merged
from dbz.measure.latency.summaries import Summaries
from dbz.runs.imports import devices, k6, locust, rates
from dbz.runs.imports.imported import Imported

_JSON: Sequence[tuple[Callable[[Any], bool], Callable[[Any, Path], Imported]]] = (
    (k6.is_k6, k6.read_k6),
    (rates.is_artillery, rates.read_artillery),
    (rates.is_vegeta, rates.read_vegeta),
    (rates.is_oha, rates.read_oha),
    (devices.is_lighthouse, devices.read_lighthouse),
    (devices.is_flashlight, devices.read_flashlight),
    (locust.is_locust_json, locust.read_locust_json),
)
KNOWN = (
    "k6 (--summary-export, handleSummary, --new-machine-readable-summary), Locust (_stats.csv, --json), "
    "Artillery (--output), vegeta (report -type=json), oha (--output-format json), Lighthouse (JSON), Flashlight (JSON)"
)


def read_file(path: Path) -> Imported:
    """The figures of one file; `UsageError` when it cannot be read or is of no known tool."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read {path}: {reason}") from error
    if locust.is_locust_csv(text):
        return locust.read_locust_csv(text, path)
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{path} is neither JSON nor a CSV of Locust: {error}", hint=f"known: {KNOWN}") from error
    for fits, read in _JSON:
        if fits(data):
            try:
                return read(data, path)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise UsageError(f"{path} is damaged or of a version that dbz does not know: {error!r}") from error
    raise UsageError(f"{path} is of no tool that dbz knows", hint=f"known: {KNOWN}")


def together(imported: Sequence[tuple[Path, Imported]]) -> Measurements:
    """All files as one; `UsageError` when two have finished figures of the same thing, which cannot be added up."""
    found = Measurements(seconds=max((one.seconds for _, one in imported), default=0.0), summaries=Summaries())
    gauges: dict[str, list[float]] = {}
    parts: dict[str, dict[str, list[float]]] = {}
    for path, one in imported:
        for of, summary in one.summaries.items():
            if of in found.summaries.by_series:
                raise UsageError(
                    f"{path} has {of.kind} {of.name} like a file before it: percentiles cannot be added up"
                )
            found.summaries.by_series[of] = summary
        for of, latency in one.latencies.items():
            found.latencies[of] = _both(found.latencies.get(of), latency)
        for metric, values in one.gauges.items():
            gauges.setdefault(metric, []).extend(values)
        for metric, by_part in one.parts.items():
            for part, values in by_part.items():
                parts.setdefault(metric, {}).setdefault(part, []).extend(values)
    found.gauges = dict(gauges)
    found.parts = parts
    return found


def _both(earlier: Latency | None, later: Latency) -> Latency:
    if earlier is None:
        return later
    return Latency(merged([earlier.ok, later.ok]), merged([earlier.failed, later.failed]), later.rounding)
