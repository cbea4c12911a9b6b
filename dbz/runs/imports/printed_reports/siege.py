"""siege: what it prints at its end, as lines or (`-j`) as an object; its times have two digits.

What it calls a transaction is an answer, also a refusal; but an answer from 500 up, or none, is what it calls failed.
Its response time is the time of all of them, divided by the number of transactions alone.
"""

from __future__ import annotations

import re
from pathlib import Path

from dbz.errors import UsageError
from dbz.measure.latency.series import HTTP, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, failed_of
from dbz.runs.imports.printed_reports.figures import printed_count, printed_number

_LINE = re.compile(r'^[{ \t]*"?([A-Za-z][A-Za-z_ ]*?)"?:[ \t]*([\d.]+|-?nan),?(?: ([a-zA-Z%/]+))?[ \t]*$', re.MULTILINE)
_FIRST = re.compile(
    r'^[{ \t]*"?transactions"?:[ \t]+\d+(?: hits|,)[ \t]*\n[ \t]*"?availability"?:', re.MULTILINE | re.IGNORECASE
)
_ANSWERED, _FAILED, _SUCCEEDED = "transactions", "failed_transactions", "successful_transactions"
_SECONDS, _CONCURRENCY, _MEAN = "elapsed_time", "concurrency", "response_time"
_SLOWEST, _FASTEST = "longest_transaction", "shortest_transaction"
_NEEDED = (_ANSWERED, _FAILED, _SUCCEEDED, _SECONDS, _CONCURRENCY, _MEAN, _SLOWEST, _FASTEST)
_ROUNDING = 0.005
"""In the unit of the times."""
_MUCH = 30
"""So many times as long as it was cannot have been waited: the times are milliseconds then."""
_NOTE = "siege knows no percentiles. Answers with a status from 400 up have failed, also those that siege lets pass."


def is_siege(text: str) -> bool:
    """Whether a text is what siege prints."""
    return bool(_FIRST.search(text))


def read_siege(text: str, where: Path) -> Imported:
    """One series of requests; those that failed have times too, where they had an answer."""
    if len(_FIRST.findall(text)) != 1:
        raise UsageError(f"{where} holds several runs of siege", hint="one run of siege a file", code="R004")
    lines = {name.lower().replace(" ", "_"): (value, unit) for name, value, unit in _LINE.findall(text)}
    if missing := [name for name in _NEEDED if name not in lines]:
        raise UsageError(f"{where} has no figure of siege for '{missing[0]}'; is it cut off?", code="R004")
    # Of no transactions the times are "nan".
    values = {name: printed_number(lines[name][0].replace("-", "").replace("nan", "0"), where) for name in _NEEDED}
    answered, failed, succeeded = (printed_count(lines[name][0], where) for name in (_ANSWERED, _FAILED, _SUCCEEDED))
    attempts, seconds = answered + failed, values[_SECONDS]
    failed_of(attempts, succeeded, where, "all transactions")
    # JSON does not say what unit its times have, which changed from seconds to milliseconds.
    waited_s = max(values[_CONCURRENCY] * seconds, 0.01)
    unit_ms = 1.0 if lines[_MEAN][1] == "ms" or values[_MEAN] * answered > _MUCH * waited_s else 1000.0
    imported = Imported("siege", notes=[_NOTE], seconds=seconds)
    if attempts:
        stats = {"mean": values[_MEAN] * answered / attempts, "min": values[_FASTEST], "max": values[_SLOWEST]}
        imported.summaries[Series(HTTP, "")] = Summary(
            count=attempts,
            errors=attempts - succeeded,
            rate_per_s=attempts / seconds if seconds else None,
            latencies_ms={stat: value * unit_ms for stat, value in stats.items()} if answered else {},
            rounding=lambda _value_ms: _ROUNDING * unit_ms,
            rounding_of_mean_ms=_ROUNDING * unit_ms,
        )
    return imported
