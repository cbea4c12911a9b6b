"""Gatling: every request of a run, as `simulation.log` has it where Gatling writes text (before 3.11).

Versions differ in what stands before a name; times, and whether it went well, end every line of a request or a group.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from dbz.bounded import texts_within
from dbz.errors import UsageError
from dbz.measure.latency.series import COMPOSITE, HTTP, OTHER, Series
from dbz.runs.imports.gatling import NOTE
from dbz.runs.imports.imported import Imported, clean_name
from dbz.runs.imports.sample_files.opening import opened
from dbz.runs.imports.sample_files.samples import FileSamples

_OUTCOMES = {"OK": False, "KO": True}
_PASSED_OVER = frozenset({"RUN", "USER", "ASSERTION"})
_CRASHES = Series(OTHER, "errors of the scenario")
"""What kept a user from sending a request: attempts that failed, though none of them is a request."""


_BINARY = re.compile(rb"\0\0\0\0[\x03-\x20]\d+\.\d+\.")
"""How the log begins since 3.11: a kind of record, the length of a text, the version."""


def is_gatling_log(path: Path) -> bool:
    """Whether a file is a log of Gatling, by its first line; `UsageError` for one that Gatling alone reads."""
    try:
        with opened(path) as file:
            if _BINARY.match(file.read(64)):
                raise UsageError(
                    f"{path} is the binary log of Gatling since 3.11, and not read",
                    hint="give instead: js/stats.json of its report (gatling -ro FOLDER makes one)",
                    code="R003",
                )
            file.seek(0)
    except (OSError, EOFError, zlib.error):
        return False
    try:
        with opened(path) as file:
            return next(texts_within(file, str(path)), "").startswith(("RUN\t", "ASSERTION\t"))
    except (OSError, ValueError, EOFError, zlib.error, UsageError):
        return False


def read_gatling_log(path: Path) -> Imported:
    """The histograms of all requests, and of groups as composites; `UsageError` names the line that cannot be read."""
    samples = FileSamples(path, "names")
    try:
        with opened(path) as file:
            for number, line in enumerate(texts_within(file, str(path)), 1):
                what, *cells = line.rstrip("\r\n").split("\t")
                where = f"{path}:{number}"
                if what == "REQUEST":
                    samples.add(*_request(cells, where), where)
                elif what == "GROUP":
                    samples.add(*_group(cells, where), where)
                elif what == "ERROR" and cells:
                    samples.add(_CRASHES, _epoch_ms(cells[-1], where), 0.0, True, where)
                elif what not in _PASSED_OVER:
                    raise _strange(where)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}", code="E005") from error
    return samples.imported("Gatling", NOTE)


def _request(cells: Sequence[str], where: str) -> tuple[Series, float, float, bool]:
    """What a line is of, when it began, how long it took, in milliseconds, and whether it failed.

    `… groups, name, begin, end, outcome, message`; before 2.2 there were two more times between begin and end.
    """
    at = next((at for at, cell in enumerate(cells) if at >= 3 and cell in _OUTCOMES and _is_epoch(cells[at - 1])), 0)
    begins = next((at - back for back in (4, 2) if at and all(map(_is_epoch, cells[max(at - back, 0) : at]))), 0)
    if begins < 1:
        raise _strange(where)
    groups = cells[begins - 2].split(",") if begins >= 2 and cells[begins - 2] else []
    begun_ms = float(cells[begins])
    name = clean_name(" / ".join([*groups, cells[begins - 1]]))
    return Series(HTTP, name), begun_ms, float(cells[at - 1]) - begun_ms, _OUTCOMES[cells[at]]


def _group(cells: Sequence[str], where: str) -> tuple[Series, float, float, bool]:
    """The same of a group: `… groups, begin, end, the sum of its requests, outcome`."""
    if len(cells) < 5 or cells[-1] not in _OUTCOMES:
        raise _strange(where)
    begun_ms, ended_ms = _epoch_ms(cells[-4], where), _epoch_ms(cells[-3], where)
    name = clean_name(" / ".join(cells[-5].split(",")))
    return Series(COMPOSITE, name), begun_ms, ended_ms - begun_ms, _OUTCOMES[cells[-1]]


def _is_epoch(cell: str) -> bool:
    """Whether a cell is a time in milliseconds since 1970, and no name or number of a user: all runs are after 1973."""
    return cell.isascii() and cell.isdigit() and 12 <= len(cell) <= 14


def _epoch_ms(cell: str, where: str) -> float:
    if not _is_epoch(cell):
        raise _strange(where)
    return float(cell)


def _strange(where: str) -> UsageError:
    return UsageError(f"{where}: this is no line of Gatling's log that dbz knows; is it cut off?", code="R004")
