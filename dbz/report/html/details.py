"""Latency in detail for the HTML page: each operation's heat map over time and its distribution, as plain data."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import cache
from typing import Any

from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram, bounds_of
from dbz.measure.latency.series import OPERATION_KINDS, UNTIMED, Series
from dbz.report.words.verdict import KINDS
from dbz.runs.aggregate import latencies
from dbz.runs.schema import Run
from dbz.runs.storage.reading import Record

BANDS_A_DECADE = 10
LOWEST_MS = 0.1
BANDS = 6 * BANDS_A_DECADE
"""From 0.1 ms to 100 s; what is faster or slower falls into the first and the last band."""
PERCENTS = (0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99)
_MAX_STEPS, _FEWEST_STEPS = 240, 30
_MAX_COLUMNS = 12_000
"""Of all heat maps together: some 3 MB of a page."""
_MAX_ITEMS = 400


def detail_data(run: Run, record: Record) -> dict[str, Any]:
    """What the page's script needs to draw any operation, or all of a kind together.

    `heat` is a flat list of step, band, count; `curve` the percentiles in ms of the judged part, null where they fall
    on failed attempts.
    """
    judged = latencies(record, run.window)
    rows = []
    shown = _most_used(judged)
    step_s = max(1, -(-round(record.last_s) // _steps(len(shown))), record.span_s)
    heat = _heat(record, step_s)
    for kind in KINDS:
        if kind == UNTIMED:
            continue
        names = sorted(series.name for series in judged if series.kind == kind and judged[series].count)
        if len(names) > 1:
            rows.append(_row(kind, f"all: {KINDS[kind]}", "", _together(judged, kind, names), _sum(heat, kind, names)))
        rows += [
            _row(kind, name, name, judged[Series(kind, name)], heat[kind, name])
            for name in names
            if Series(kind, name) in shown
        ]
    return {
        "step_s": step_s,
        "steps": -(-round(record.last_s) // step_s),
        "edges_ms": [float(f"{LOWEST_MS * 10 ** (at / BANDS_A_DECADE):.3g}") for at in range(BANDS + 1)],
        "percents": PERCENTS,
        "items": rows,
    }


def _steps(items: int) -> int:
    """How many steps the heat map of each of so many operations has: together they are what a page can hold."""
    return min(_MAX_STEPS, max(_MAX_COLUMNS // max(items, 1), _FEWEST_STEPS))


def _most_used(judged: dict[Series, Latency]) -> set[Series]:
    """The operations that get details: a page of thousands would be too large to open."""
    return set(sorted(judged, key=lambda series: -judged[series].count)[:_MAX_ITEMS])


Heat = defaultdict[tuple[str, str], dict[tuple[int, int], int]]


def _heat(record: Record, step_s: int) -> Heat:
    """By kind and name: how many successes ended in each step and band."""
    heat: Heat = defaultdict(dict)
    for interval in record.intervals:
        series = interval.series
        if series.failed or series.kind not in OPERATION_KINDS:
            continue
        step = int(max(interval.start_s + interval.length_s / 2, 0.0) // step_s)
        cells = heat[series.kind, series.name]
        for band, count in interval.histogram.grouped(_band_at).items():
            cells[step, band] = cells.get((step, band), 0) + count
    return heat


@cache
def _band_at(position: int) -> int:
    """The band of what is at a position of a histogram."""
    return band_of(sum(bounds_of(position)) / 2000)


def band_of(value_ms: float) -> int:
    """The band that a latency falls into."""
    if value_ms <= LOWEST_MS:
        return 0
    return min(math.floor(math.log10(value_ms / LOWEST_MS) * BANDS_A_DECADE), BANDS - 1)


def _together(judged: dict[Series, Latency], kind: str, names: list[str]) -> Latency:
    ok, failed = Histogram(), Histogram()
    for name in names:
        ok.add(judged[Series(kind, name)].ok)
        failed.add(judged[Series(kind, name)].failed)
    return Latency(ok, failed)


def _sum(heat: Heat, kind: str, names: list[str]) -> dict[tuple[int, int], int]:
    total: defaultdict[tuple[int, int], int] = defaultdict(int)
    for name in names:
        for cell, count in heat[kind, name].items():
            total[cell] += count
    return total


def _row(kind: str, title: str, name: str, latency: Latency, cells: dict[tuple[int, int], int]) -> dict[str, Any]:
    curve = [latency.percentile_ms(percent) for percent in PERCENTS]
    return {
        "kind": kind,
        "name": name,
        "title": title,
        "count": latency.count,
        "errors": latency.errors,
        "curve": [None if math.isinf(value) else float(f"{value:.4g}") for value in curve],
        "heat": [number for (step, band), count in sorted(cells.items()) for number in (step, band, count)],
    }
