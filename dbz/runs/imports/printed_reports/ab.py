"""ab (ApacheBench): what it prints at its end; its times are whole milliseconds.

What it calls failed is what had no whole answer, or one of another length than the first. Statuses are counted beside
that, redirects among them, and nothing says which of them are the same requests.
"""

from __future__ import annotations

import re
from pathlib import Path

from dbz.errors import UsageError
from dbz.measure.latency.series import HTTP, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, failed_of
from dbz.runs.imports.printed_reports.figures import printed_count, printed_number

_FIRST = re.compile(r"^This is ApacheBench, Version ", re.MULTILINE)
_FIGURE = re.compile(
    r"^(Complete requests|Failed requests|Write errors|Non-2xx responses|Time taken for tests|Requests per second)"
    r": +(\S+)",
    re.MULTILINE,
)
_COMPLETE, _SECONDS, _RATE = "Complete requests", "Time taken for tests", "Requests per second"
_KINDS = re.compile(r"^ +\(Connect: (\d+), Receive: (\d+), Length: (\d+), Exceptions: (\d+)\)$", re.MULTILINE)
_COLUMNS = re.compile(r"^ +min +(mean\[\+/-sd\] median|avg) +max$", re.MULTILINE)
_TOTAL = re.compile(r"^Total: +(\d+) +(\d+) [^\n]* (\d+)$", re.MULTILINE)
_PERCENTILE = re.compile(r"^ +(\d+)% +(\d+)(?: \(longest request\))?$", re.MULTILINE)
_ROUNDING_MS = 0.5
NOTE = "ab's times are whole milliseconds, and begin when a connection is free, not when a request was due."


def is_ab(text: str) -> bool:
    """Whether a text is what ab prints."""
    return bool(_FIRST.search(text[:4096]))


def read_ab(text: str, where: Path) -> Imported:
    """One series of requests; those that could not connect have no time."""
    if len(_FIRST.findall(text)) != 1:
        raise UsageError(f"{where} holds several runs of ab", hint="one run of ab a file", code="R004")
    named = dict(_FIGURE.findall(text))
    if _COMPLETE not in named or _RATE not in named:
        raise UsageError(
            f"{where} ends before ab's totals ('{_COMPLETE}', '{_RATE}'); was the run given up, or is it cut off?",
            code="R004",
        )
    complete, failed, unwritten, strange = (
        printed_count(named.get(name, "0"), where)
        for name in (_COMPLETE, "Failed requests", "Write errors", "Non-2xx responses")
    )
    kinds = _KINDS.search(text)
    unconnected, lengths = (printed_count(kinds[kind], where) if kinds else 0 for kind in (1, 3))
    attempts, seconds = complete + unconnected, printed_number(named.get(_SECONDS, "0"), where)
    broken = failed_of(attempts, max(failed, unwritten), where, "all requests")
    imported = Imported("ab", notes=[NOTE], seconds=seconds)
    if strange:
        imported.notes.append("ab counts redirects among its 'Non-2xx responses', which are taken for failures.")
    if lengths:
        imported.notes.append(
            f"{lengths:,} answers failed by their length, which was not that of the first: ab -l lets that be."
        )
    if attempts:
        imported.summaries[Series(HTTP, "")] = Summary(
            count=attempts,
            errors=min(max(broken, strange), attempts),
            rate_per_s=attempts / seconds if seconds else None,
            latencies_ms=_latencies(text, where) if complete else {},
            rounding=lambda _value_ms: _ROUNDING_MS,
            rounding_of_mean_ms=_ROUNDING_MS,
            untimed=unconnected,
            # Some of the refused may be those that failed anyway, so it is only known that there are not fewer.
            errors_known=not (broken and strange),
        )
    return imported


def _latencies(text: str, where: Path) -> dict[str, float]:
    total = _TOTAL.search(text)
    if total is None or _COLUMNS.search(text) is None:
        raise UsageError(f"{where} has no line of ab with the times ('Connection Times … Total: …')", code="R004")
    found = {
        stat: printed_number(value, where) for stat, value in zip(("min", "mean", "max"), total.groups(), strict=True)
    }
    for percent, value in _PERCENTILE.findall(text):
        found["max" if percent == "100" else f"p{percent}"] = printed_number(value, where)
    return found
