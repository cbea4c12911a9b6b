"""JMeter: every sample of a run, as `jmeter -l FILE` writes it (JTL as CSV with a head), compressed or not.

Columns are those of `jmeter.save.saveservice` in any order, between commas, semicolons or tabs. Samples of transaction
controllers are composites: their times hold those of the requests in them.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from dbz.bounded import texts_within
from dbz.errors import UsageError
from dbz.measure.latency.series import COMPOSITE, HTTP, Series
from dbz.runs.imports.imported import Imported, clean_name
from dbz.runs.imports.sample_files.opening import opened
from dbz.runs.imports.sample_files.samples import FileSamples

_NEEDED = frozenset({"timeStamp", "elapsed", "label", "success"})
_DELIMITERS = (",", ";", "\t")
NOTE = "JMeter's times are whole milliseconds, from when a request was sent."
TRANSACTION = "Number of samples in transaction"
"""How the message of a transaction controller's sample begins."""
OUTCOMES = {"true": False, "false": True}
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
    samples = FileSamples(path, "labels")
    try:
        with opened(path) as file:
            delimiter = _delimiter(next(texts_within(file, str(path)), ""))
            file.seek(0)
            rows = csv.DictReader(texts_within(file, str(path)), delimiter=delimiter, strict=True)
            for row in rows:
                where = f"{path}:{rows.line_num}"
                samples.add(*_sample(row, where), where)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}", code="E005") from error
    return samples.imported("JMeter", NOTE)


def _delimiter(head: str) -> str:
    """What stands between the columns of a head; empty when it is not one of JMeter's."""
    fits = (one for one in _DELIMITERS if set(next(csv.reader([head.rstrip("\r\n")], delimiter=one), ())) >= _NEEDED)
    return next(fits, "")


def _begun_ms(text: str) -> float:
    """When a sample began: milliseconds since 1970, or a date and a time as `timestamp_format` may have them."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text.strip().replace("/", "-"))
    except ValueError:
        raise ValueError(f"'{text}' is no time that dbz knows (jmeter.save.saveservice.timestamp_format=ms)") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000


def _sample(row: Mapping[str | None, str | None], where: str) -> tuple[Series, float, float, bool]:
    """What a line is of, when it began, how long it took, in milliseconds, and whether it failed."""
    if None in row or None in row.values():
        raise UsageError(f"{where}: the line has not as many columns as the first; is it cut off?", code="R004")
    success = str(row["success"]).strip().lower()
    try:
        begun_ms, elapsed_ms, failed = _begun_ms(str(row["timeStamp"])), float(str(row["elapsed"])), OUTCOMES[success]
    except (ValueError, KeyError) as error:
        raise UsageError(f"{where}: this is no sample of JMeter: {error}", code="R004") from error
    kind = COMPOSITE if str(row.get("responseMessage") or "").startswith(TRANSACTION) else HTTP
    return Series(kind, clean_name(row["label"])), begun_ms, elapsed_ms, failed
