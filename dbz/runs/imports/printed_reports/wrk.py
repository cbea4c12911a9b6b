"""wrk and wrk2: what they print at their end, which is all there is of a run."""

from __future__ import annotations

import re
from pathlib import Path

from dbz.errors import UsageError
from dbz.measure.latency.series import HTTP, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported
from dbz.runs.imports.printed_reports.figures import printed_ms, printed_number, printed_rounding_ms

_FIRST = re.compile(r"^Running \S+ test @ ", re.MULTILINE)
_REQUESTS = re.compile(r"^ +(\d+) requests in (\S+), ", re.MULTILINE)
_COLUMNS = re.compile(r"^ +Thread Stats +Avg +Stdev +(Max|99%) ", re.MULTILINE)
_LATENCY = re.compile(r"^ +Latency +(\S+) +\S+ +(\S+) +\S+$", re.MULTILINE)
_PERCENTILE = re.compile(r"^ *(\d+(?:\.\d+)?)% +(\S+) *$", re.MULTILINE)
_SOCKETS = re.compile(r"^ +Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$", re.MULTILINE)
_REFUSED = re.compile(r"^ +Non-2xx or 3xx responses: (\d+)$", re.MULTILINE)
_OF_WRK2 = "HdrHistogram"
_NOTE = "wrk's latencies begin when a connection is free, not when a request was due."
_NOTE_2 = "wrk2's latencies are of what was asked after its calibration, in the first 10 s, alone."


def is_wrk(text: str) -> bool:
    """Whether a text is what wrk prints."""
    return bool(_FIRST.search(text[:4096])) and "threads and" in text[:8192]


def read_wrk(text: str, where: Path) -> Imported:
    """One series of requests. Refused ones are among the times; those that took too long or got no answer are not."""
    runs = _REQUESTS.findall(text)
    if len(runs) != 1:
        said = "ends before wrk's totals ('… requests in …'); is it cut off" if not runs else f"holds {len(runs)} runs"
        raise UsageError(f"{where} {said}{'' if runs else '?'}", hint="one run of wrk a file", code="R004")
    answered, seconds = round(printed_number(runs[0][0], where)), printed_ms(runs[0][1], where) / 1000
    connect, read, write, late = (int(number[:18]) for number in (_SOCKETS.findall(text) or [("0",) * 4])[0])
    second = _OF_WRK2 in text
    # An answer that is late is one of wrk's requests; wrk2 counts a connection again and again while it waits.
    lost = connect + read + write + (late if second else 0)
    refused = sum(int(number[:18]) for number in _REFUSED.findall(text))
    untimed = lost + (0 if second else min(late, answered))
    imported = Imported("wrk2" if second else "wrk", notes=[_NOTE_2 if second else _NOTE], seconds=seconds)
    if answered + lost:
        imported.summaries[Series(HTTP, "")] = Summary(
            count=answered + lost,
            errors=min(untimed + refused, answered + lost),
            rate_per_s=(answered + lost) / seconds if seconds else None,
            latencies_ms=_latencies(text, where) if answered + lost > untimed else {},
            rounding=printed_rounding_ms,
            untimed=untimed,
        )
    return imported


def _latencies(text: str, where: Path) -> dict[str, float]:
    columns, latency = _COLUMNS.search(text), _LATENCY.search(text)
    if columns is None or latency is None:
        raise UsageError(f"{where} has no line of wrk with the latencies ('Thread Stats … Latency …')", code="R004")
    last = "max" if columns[1] == "Max" else "p99"
    found = {"mean": printed_ms(latency[1], where), last: printed_ms(latency[2], where)}
    for percent, duration in _PERCENTILE.findall(text):
        share = printed_number(percent, where)
        found["max" if share == 100 else f"p{share:g}"] = printed_ms(duration, where)
    return found
