"""h2load: what it prints at its end; its times are of requests that were answered, refused ones among them."""

from __future__ import annotations

import re
from pathlib import Path

from dbz.errors import UsageError
from dbz.measure.latency.series import HTTP, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, failed_of
from dbz.runs.imports.printed_reports.figures import printed_count, printed_ms, printed_number, printed_rounding_ms

_FINISHED = re.compile(r"^finished in (\S+), (\S+) req/s, ", re.MULTILINE)
_REQUESTS = re.compile(
    r"^requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$",
    re.MULTILINE,
)
_COLUMNS = re.compile(r"^ +(min +max .*)\+/- sd *$", re.MULTILINE)
_TIMES = re.compile(r"^(?:time for request|request) *: *(\S.*)$", re.MULTILINE)
_STATS = {"min": "min", "max": "max", "mean": "mean", "median": "p50"}
_PERCENTILE = re.compile(r"p\d+(?:\.\d+)?")
NOTE = "h2load's times begin when a stream is free, not when a request was due."
_NO_PERCENTILES = "h2load printed no percentiles; the file of --log-file has every request."


def is_h2load(text: str) -> bool:
    """Whether a text is what h2load prints."""
    return text[:4096].startswith("starting benchmark...") or bool(_REQUESTS.search(text))


def read_h2load(text: str, where: Path) -> Imported:
    """One series of requests: those that were not even begun, since their connection was gone, have failed too."""
    finished, requests = _FINISHED.findall(text), _REQUESTS.findall(text)
    if len(finished) != 1 or len(requests) != 1:
        said = f"holds {len(requests)} runs of h2load" if requests else "ends before h2load's totals; is it cut off?"
        raise UsageError(f"{where} {said}", hint="one run of h2load a file", code="R004")
    succeeded, failed, errored, late = (printed_count(number, where) for number in requests[0])
    lost = failed_of(failed, max(errored, late), where, "those that failed")
    attempts, answered = succeeded + failed, succeeded + failed - lost
    latencies = _latencies(text, where) if answered else {}
    imported = Imported("h2load", notes=[NOTE], seconds=printed_ms(finished[0][0], where) / 1000)
    if answered and not any(stat.startswith("p") for stat in latencies):
        imported.notes.append(_NO_PERCENTILES)
    if attempts:
        # Its own rate leaves out what was not answered, and the time of a warm-up.
        answers_per_s = printed_number(finished[0][1], where)
        imported.summaries[Series(HTTP, "")] = Summary(
            count=attempts,
            errors=failed,
            successes_per_s=answers_per_s * succeeded / answered if answered else 0.0,
            latencies_ms=latencies,
            rounding=printed_rounding_ms,
            untimed=lost,
        )
    return imported


def _latencies(text: str, where: Path) -> dict[str, float]:
    """By the columns of the table, which are more in newer versions."""
    columns, times = _COLUMNS.search(text), _TIMES.search(text)
    if columns is None or times is None:
        raise UsageError(f"{where} has no line of h2load with the times ('time for request: …')", code="R004")
    return {
        _STATS.get(column, column): printed_ms(value, where)
        for column, value in zip(columns[1].split(), times[1].split(), strict=False)
        if column in _STATS or _PERCENTILE.fullmatch(column)
    }
