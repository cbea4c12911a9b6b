"""What a file of another tool says, and how its values are taken out of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dbz.errors import UsageError
from dbz.masking import masked_name
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.series import Series
from dbz.measure.latency.summaries import Summary

MOST = 1e15
"""No count, time or rate of a result file is larger; what is would be lost in the digits of a floating number."""


@dataclass
class Imported:
    """The figures of one file."""

    tool: str
    summaries: dict[Series, Summary] = field(default_factory=dict)
    """Finished figures by series."""
    latencies: dict[Series, Latency] = field(default_factory=dict)
    """Histograms by series."""
    gauges: dict[str, list[float]] = field(default_factory=dict)
    """Readings by metric."""
    parts: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Readings by metric and part of it."""
    seconds: float = 0.0
    """How long it took; 0 where the file does not say it."""
    variant: str = ""
    """What tells results of equal parts apart, such as the form factor of a browser."""
    invalid: list[str] = field(default_factory=list)
    """Why its figures say nothing, a sentence each."""
    notes: list[str] = field(default_factory=list)
    """How the tool measures where that is not what a reader would expect, and what of the file is not read."""

    def add(self, series: Series, summary: Summary) -> None:
        """Add finished figures; names that became equal because secrets in them are masked stay apart by a number."""
        number, plain = 1, series.name
        while series in self.summaries:
            number += 1
            series = replace(series, name=f"{plain} ({number})")
        self.summaries[series] = summary


def _checked(value: Any, key: str, where: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{where}: '{clean_name(key)}' should be a number, not {_shown(value)}", code="R004")
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{where}: '{clean_name(key)}' should be a finite number, not {value}", code="R004")
    if not 0 <= value <= MOST:
        raise UsageError(
            f"{where}: '{clean_name(key)}' should be a number from 0 to {MOST:g}, not {_shown(value)}", code="R004"
        )
    return float(value)


def _shown(value: Any) -> str:
    text = "a number of very many digits" if isinstance(value, int) and abs(value) > 10**30 else repr(value)
    return text if len(text) < 60 else f"{text[:57]}…"


def number(values: Mapping[str, Any], key: str, where: Path) -> float:
    """A number of a file, 0 or more; `UsageError` naming the file when it is missing or something else."""
    return _checked(values.get(key), key, where)


def figure(values: Mapping[str, Any], key: str, where: Path) -> float | None:
    """The same where it may be missing or null: None then."""
    value = values.get(key)
    return None if value is None else _checked(value, key, where)


def count(values: Mapping[str, Any], key: str, where: Path) -> int:
    """A whole number of a file; 0 where it is missing or null."""
    value = figure(values, key, where) or 0.0
    if value != int(value):
        raise UsageError(f"{where}: '{clean_name(key)}' should be a whole number, not {value:g}", code="R004")
    return int(value)


def counts(values: Mapping[str, Any], where: Path, what: str) -> dict[str, int]:
    """An object of whole numbers."""
    named = mapping(values, where, what)
    return {name: count(named, name, where) for name in named}


def failed_of(attempts: int, failed: int, where: Path, what: str) -> int:
    """The number of failed attempts; `UsageError` when it is larger than that of all."""
    if failed > attempts:
        raise UsageError(
            f"{where}: {failed:,} of {attempts:,} attempts of {clean_name(what)} failed, which cannot be", code="R004"
        )
    return failed


def mapping(values: Any, where: Path, what: str) -> Mapping[str, Any]:
    """An object of a file; `UsageError` when it is something else."""
    if not isinstance(values, dict):
        raise UsageError(f"{where}: '{clean_name(what)}' should be an object", code="R004")
    return values


def sequence(values: Any, where: Path, what: str) -> Sequence[Any]:
    """A list of a file; `UsageError` when it is something else."""
    if not isinstance(values, list):
        raise UsageError(f"{where}: '{clean_name(what)}' should be a list", code="R004")
    return values


def clean_name(name: Any) -> str:
    """A name as it may be written everywhere: JSON may hold halves of characters, which no file takes, and URLs that
    tools name requests after may hold secrets."""
    return masked_name(str(name).encode("utf-8", "replace").decode())
