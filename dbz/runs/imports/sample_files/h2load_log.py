"""h2load: a line for each request, as `--log-file` writes them: when it began, its status, how long it took."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from dbz.bounded import texts_within
from dbz.errors import UsageError
from dbz.measure.latency.series import HTTP, Series
from dbz.runs.imports.imported import Imported
from dbz.runs.imports.printed_reports.h2load import NOTE
from dbz.runs.imports.sample_files.opening import opened
from dbz.runs.imports.sample_files.samples import FileSamples

_LINE = re.compile(r"(\d{16})\t(-1|[1-9]\d\d)\t(\d{1,15})(?:\t.*)?\r?\n?")
"""Microseconds since 1970, a status or -1 for a stream that broke, microseconds. More columns may come later."""
_NAME = "all requests"


def is_h2load_log(path: Path) -> bool:
    """Whether a file is a log of h2load, by its first line."""
    try:
        with opened(path) as file:
            return bool(_LINE.fullmatch(next(texts_within(file, str(path)), "")))
    except (OSError, ValueError, EOFError, zlib.error, UsageError):
        return False


def read_h2load_log(path: Path) -> Imported:
    """The histogram of all requests; `UsageError` names the line that cannot be read."""
    samples = FileSamples(path, "names")
    try:
        with opened(path) as file:
            for number, line in enumerate(texts_within(file, str(path)), 1):
                where = f"{path}:{number}"
                match = _LINE.fullmatch(line)
                if match is None:
                    raise UsageError(f"{where}: this is no line of h2load's log; is it cut off?", code="R004")
                begun_us, status, took_us = (int(cell) for cell in match.groups())
                failed = status < 0 or status >= 400
                samples.add(Series(HTTP, _NAME), begun_us / 1000, took_us / 1000, failed, where)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}", code="E005") from error
    return samples.imported("h2load", NOTE)
