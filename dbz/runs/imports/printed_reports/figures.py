"""Numbers and durations in reports that tools print for people, which have no other complete form."""

from __future__ import annotations

import re
from pathlib import Path

from dbz.errors import UsageError
from dbz.runs.imports.imported import MOST, clean_name, count

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|µs|ms|s|m|h)")
_MS = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}


def printed_number(text: str, where: Path) -> float:
    """A number, 0 or more; `UsageError` when the text is none, or more than any result has."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST:
        raise UsageError(f"{where}: '{clean_name(text[:60])}' should be a number from 0 to {MOST:g}", code="R004")
    return value


def printed_count(text: str, where: Path) -> int:
    """A whole number; `UsageError` when the text is none."""
    return count({text: printed_number(text, where)}, text, where)


def printed_ms(text: str, where: Path) -> float:
    """A duration with its unit, such as `635.91us`, in milliseconds; `UsageError` when the text is none."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{where}: '{clean_name(text[:60])}' should be a duration, like 12.34ms", code="R004")
    return printed_number(match[1], where) * _MS[match[2]]


def printed_rounding_ms(value_ms: float) -> float:
    """By how much a duration of two decimals, in units from microseconds up, may be rounded."""
    for unit_ms in (3_600_000.0, 60_000.0, 1000.0, 1.0):
        if value_ms >= unit_ms:
            return unit_ms * 0.005
    return 0.000005
