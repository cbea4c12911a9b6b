"""JMeter: every sample of a run, as `jmeter -l FILE` writes it (JTL as CSV with a head), compressed or not.

Columns are those of `jmeter.save.saveservice` in any order, between commas, semicolons or tabs. Samples of transaction
controllers are composites: their times hold those of the requests in them.
"""

from __future__ import annotations

import csv
import math
import zlib
from collections.abc import Mapping
from pathlib import Path

from dbz.bounded import texts_within
from dbz.errors import UsageError
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import HIGHEST_US, Histogram
from dbz.measure.latency.series import COMPOSITE, HTTP, Series
from dbz.runs.imports.imported import MOST, Imported, clean_name
from dbz.runs.imports.opening import opened

_NEEDED = frozenset({"timeStamp", "elapsed", "label", "success"})
_DELIMITERS = (",", ";", "\t")
_MOST_SERIES = 20_000
_TRANSACTION = "Number of samples in transaction"
_OUTCOMES = {"true": False, "false": True}
"""What `success` says, and whether that is a failure."""


def is_jmeter(path: Path) -> bool:
    """Whether a file has the samples of JMeter, by its first line."""
    try:
        with opened(path) as file:
            return bool(_delimiter(next(texts_within(file, str(path)), "")))
    except (OSError, ValueError, EOFError, csv.Error, zlib.error, UsageError):
        return False


def read_jmeter(path: Path) -> Imported:
    """The histograms of all samples; `UsageError` naming the line of one that cannot be read."""
    latencies: dict[Series, Latency] = {}
    first_ms, last_ms = math.inf, -math.inf
    try:
        with opened(path) as file:
            delimiter = _delimiter(next(texts_within(file, str(path)), ""))
            file.seek(0)
            rows = csv.DictReader(texts_within(file, str(path)), delimiter=delimiter, strict=True)
            for row in rows:
                series, begun_ms, elapsed_ms, failed = _sample(row, f"{path}:{rows.line_num}")
                first_ms, last_ms = min(first_ms, begun_ms), max(last_ms, begun_ms + elapsed_ms)
                latency = latencies.setdefault(series, Latency(Histogram(), Histogram()))
                if len(latencies) > _MOST_SERIES:
                    raise UsageError(f"{path} has more than {_MOST_SERIES:,} labels", code="R004")
                (latency.failed if failed else latency.ok).record(min(round(elapsed_ms * 1000), HIGHEST_US))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}", code="E005") from error
    seconds = max(last_ms - first_ms, 0.0) / 1000 if latencies else 0.0
    imported = Imported("JMeter", latencies=latencies, seconds=seconds)
    imported.notes.append("JMeter's times are whole milliseconds, from when a request was sent.")
    return imported


def _delimiter(head: str) -> str:
    """What stands between the columns of a head; empty when it is not one of JMeter's."""
    fits = (one for one in _DELIMITERS if set(next(csv.reader([head.rstrip("\r\n")], delimiter=one), ())) >= _NEEDED)
    return next(fits, "")


def _sample(row: Mapping[str | None, str | None], where: str) -> tuple[Series, float, float, bool]:
    """What a line is of, when it began, how long it took, in milliseconds, and whether it failed."""
    if None in row or None in row.values():
        raise UsageError(f"{where}: the line has not as many columns as the first; is it cut off?", code="R004")
    success = str(row["success"]).strip().lower()
    try:
        begun_ms, elapsed_ms, failed = float(str(row["timeStamp"])), float(str(row["elapsed"])), _OUTCOMES[success]
    except (ValueError, KeyError) as error:
        raise UsageError(f"{where}: this is no sample of JMeter: {error}", code="R004") from error
    if not (0 <= begun_ms <= MOST and 0 <= elapsed_ms <= MOST):
        raise UsageError(f"{where}: 'timeStamp' and 'elapsed' should be times in milliseconds", code="R004")
    kind = COMPOSITE if str(row.get("responseMessage") or "").startswith(_TRANSACTION) else HTTP
    return Series(kind, clean_name(row["label"])), begun_ms, elapsed_ms, failed
