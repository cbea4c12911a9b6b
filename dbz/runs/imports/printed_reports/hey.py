"""hey: what it prints at its end, and the rows of `-o csv`, which leave out requests that got no answer."""

from __future__ import annotations

import csv
import re
import zlib
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

from dbz.bounded import texts_within
from dbz.errors import UsageError
from dbz.measure.latency.histogram import rank_of
from dbz.measure.latency.series import HTTP, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported
from dbz.runs.imports.printed_reports.figures import printed_number
from dbz.runs.imports.sample_files.opening import opened

_COLUMNS = "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset"
_FIRST = re.compile(r"^Summary:\s*\n\s+Total:\s+\S+ secs\s*\n\s+Slowest:", re.MULTILINE)
_FIGURE = re.compile(r"^ +(Total|Slowest|Fastest|Average):\s+(\S+) secs$", re.MULTILINE)
_PERCENTILE = re.compile(r"^ +(\d+)% in (\S+) secs$", re.MULTILINE)
_STATUS = re.compile(r"^ +\[(\d+)\]\s+(\d+) responses$", re.MULTILINE)
_ERROR = re.compile(r"^ +\[(\d+)\]\s+(?!\d+ responses$)\S", re.MULTILINE)
_ERRORS, _STATUSES = "Error distribution:", "Status code distribution:"
_TOTAL = "Total"
_STATS = {"Slowest": "max", "Fastest": "min", "Average": "mean"}
_REMEMBERED = 1_000_000
"""So many answers hey keeps the times and statuses of; those after them are in none of its figures but the mean."""
_ROUNDING_MS = 0.05
_PERCENTS = (*range(1, 100), 99.5, 99.9, 99.99)
"""Those that can be asked of the rows."""
_NOTE = "hey's times have four decimals of a second, and begin when a worker is free, not when a request was due."
_WITHOUT_ERRORS = "The CSV of hey leaves out requests that got no answer; what it prints without -o has them."
_FORGOTTEN = f"hey remembers {_REMEMBERED:,} answers: what became of later ones is not in the file."


def is_hey(text: str) -> bool:
    """Whether a text is what hey prints."""
    return bool(_FIRST.search(text[:4096]))


def read_hey(text: str, where: Path) -> Imported:
    """One series of requests; those without an answer have no time."""
    if len(_FIRST.findall(text)) != 1:
        raise UsageError(f"{where} holds several runs of hey", hint="one run of hey a file", code="R004")
    head, found, errors = text.partition(_ERRORS)
    if not found and _STATUSES not in text:
        raise UsageError(f"{where} ends before hey's statuses ('{_STATUSES}'); is it cut off?", code="R004")
    codes = {status: round(printed_number(times, where)) for status, times in _STATUS.findall(head)}
    lost, answered = sum(round(printed_number(times, where)) for times in _ERROR.findall(errors)), sum(codes.values())
    named = [(name, text) for name, text in _FIGURE.findall(head) if answered or name == _TOTAL]  # of none "NaN"
    figures = {name: printed_number(text, where) for name, text in named}
    seconds = figures.get(_TOTAL, 0.0)
    imported = Imported("hey", notes=[_NOTE], seconds=seconds)
    if answered >= _REMEMBERED:
        imported.notes.append(_FORGOTTEN)
    if answered + lost:
        stats = {stat: figures[name] for name, stat in _STATS.items() if name in figures}
        # "0% in 0.0000 secs" stands for the percentiles of too few answers.
        stats |= {f"p{int(p)}": printed_number(value, where) for p, value in _PERCENTILE.findall(head) if int(p)}
        imported.summaries[Series(HTTP, "")] = Summary(
            count=answered + lost,
            errors=sum(times for status, times in codes.items() if status[:1] in "45") + lost,
            rate_per_s=(answered + lost) / seconds if seconds and answered < _REMEMBERED else None,
            latencies_ms={stat: value * 1000 for stat, value in stats.items()} if answered else {},
            rounding=lambda _value_ms: _ROUNDING_MS,
            untimed=lost,
            errors_known=answered < _REMEMBERED,
        )
    return imported


def is_hey_rows(path: Path) -> bool:
    """Whether a file has the rows of hey, by its first line."""
    try:
        with opened(path) as file:
            return next(texts_within(file, str(path)), "").strip() == _COLUMNS
    except (OSError, ValueError, EOFError, zlib.error, UsageError):
        return False


def read_hey_rows(path: Path) -> Imported:
    """Figures of the requests that were answered: how many more there were is not in the file."""
    times_ms, refused, last_s = array("d"), 0, 0.0
    try:
        with opened(path) as file:
            rows = csv.DictReader(texts_within(file, str(path)), strict=True)
            for row in rows:
                seconds, failed, ended_s = _row(row, Path(f"{path}:{rows.line_num}"))
                times_ms.append(seconds * 1000)
                refused, last_s = refused + failed, max(last_s, ended_s)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}", code="E005") from error
    imported = Imported("hey", notes=[_NOTE, _WITHOUT_ERRORS], seconds=last_s)
    if times_ms:
        imported.summaries[Series(HTTP, "")] = Summary(
            count=len(times_ms),
            errors=refused,
            rate_per_s=len(times_ms) / last_s if last_s else None,
            latencies_ms=_stats(sorted(times_ms)),
            rounding=lambda _value_ms: _ROUNDING_MS,
            errors_known=False,
        )
    return imported


def _stats(ordered_ms: Sequence[float]) -> dict[str, float]:
    stats = {f"p{percent:g}": ordered_ms[rank_of(percent, len(ordered_ms)) - 1] for percent in _PERCENTS}
    return stats | {"mean": sum(ordered_ms) / len(ordered_ms), "min": ordered_ms[0], "max": ordered_ms[-1]}


def _row(row: Mapping[str | None, str | None], where: Path) -> tuple[float, bool, float]:
    """How long a request took, in seconds, whether it was refused, and when it had ended."""
    if None in row or None in row.values():
        raise UsageError(f"{where}: the line has not as many columns as the first; is it cut off?", code="R004")
    cells = {name: printed_number(str(row[name]), where) for name in ("response-time", "status-code", "offset")}
    return cells["response-time"], cells["status-code"] >= 400, cells["offset"] + cells["response-time"]
