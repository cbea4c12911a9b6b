"""vegeta: every single result, as `vegeta encode` writes them as JSON or CSV, compressed or not.

What `vegeta attack` itself writes is a format of Go's own, which is only known and refused here.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dbz.bounded import texts_within
from dbz.errors import UsageError
from dbz.measure.latency.series import HTTP, Series
from dbz.runs.imports.imported import Imported, clean_name
from dbz.runs.imports.sample_files.opening import opened
from dbz.runs.imports.sample_files.samples import FileSamples, rfc3339_s
from dbz.runs.imports.vegeta import NOTE

_COLUMNS = 12
_FEWEST_COLUMNS = 9
"""Before 12.9 there were no method, URL and headers."""
_KEYS = ("code", "timestamp", "latency", "bytes_out", "bytes_in")
_GOB = (b"Attack", b"Latency", b"BytesOut")
"""Names of fields, with which Go's format begins."""
_HEAD_BYTES = 1000


class _Result(NamedTuple):
    """One request and what became of it."""

    begun_ns: float
    code: int
    """0 where nothing was answered."""
    latency_ns: float
    error: str
    method: str
    url: str


def is_vegeta_results(path: Path) -> bool:
    """Whether a file has results of vegeta, by its first line; `UsageError` for one in Go's format."""
    try:
        with opened(path) as file:
            head = file.read(_HEAD_BYTES)
            if all(name in head for name in _GOB):
                raise UsageError(
                    f"{path} is in the format of Go that only vegeta itself reads",
                    hint="vegeta encode -to json RESULTS > results.json, or vegeta report -type json RESULTS",
                    code="R003",
                )
            file.seek(0)
            line = next(texts_within(file, str(path)), "")
    except (OSError, ValueError, EOFError, zlib.error):
        return False
    try:
        (_of_json if line.startswith("{") else _of_csv)(line)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError, csv.Error):
        return False
    return True


def read_vegeta_results(path: Path) -> Imported:
    """The histograms of all results; `UsageError` naming the line of one that cannot be read."""
    samples = FileSamples(path, "requests; judge those of one target at a time")
    try:
        for where, one in _results(path):
            name = " ".join(filter(None, (one.method, one.url))) or "?"
            # As vegeta counts: an error has a text, also where it is only the status.
            failed = bool(one.error) or not 200 <= one.code < 400
            samples.add(Series(HTTP, clean_name(name)), one.begun_ns / 1e6, one.latency_ns / 1e6, failed, where)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}", code="E005") from error
    return samples.imported("vegeta", NOTE)


def _results(path: Path) -> Iterator[tuple[str, _Result]]:
    with opened(path) as file:
        for number, line in enumerate(texts_within(file, str(path)), 1):
            where = f"{path}:{number}"
            try:
                result = (_of_json if line.startswith("{") else _of_csv)(line)
            except (LookupError, TypeError, ValueError, AttributeError, RecursionError, csv.Error) as error:
                cut = "" if line.endswith("\n") else "; is it cut off?"
                raise UsageError(f"{where}: this is no result of vegeta: {error}{cut}", code="R004") from error
            yield where, result


def _of_json(line: str) -> _Result:
    row = json.loads(line)
    code, timestamp, latency, _, _ = (row[key] for key in _KEYS)
    return _Result(
        rfc3339_s(timestamp) * 1e9, int(code), float(latency),
        str(row.get("error") or ""), str(row.get("method") or ""), str(row.get("url") or ""),
    )  # fmt: skip


def _of_csv(line: str) -> _Result:
    """Time, status, latency, two sizes, error, body, attack, number, method, URL, headers; without a head."""
    row = next(csv.reader([line]))
    if not _FEWEST_COLUMNS <= len(row) <= _COLUMNS:
        raise ValueError(f"a result has {_COLUMNS} columns, not {len(row)}")
    begun, code, latency, _, _, error, _, _, number = row[:_FEWEST_COLUMNS]
    int(number)
    method, url = [*row[9:11], "", ""][:2]
    return _Result(float(int(begun)), int(code), float(int(latency)), error, method, url)
