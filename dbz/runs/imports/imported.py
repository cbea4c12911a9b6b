"""What a file of another tool says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbz.errors import UsageError
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.series import Series
from dbz.measure.latency.summaries import Summary


@dataclass
class Imported:
    """The figures of one file: finished ones by series (`summaries`), histograms, readings by metric and by part.

    `notes` say how the tool measures where that is not what a reader would expect.
    """

    tool: str
    summaries: dict[Series, Summary] = field(default_factory=dict)
    latencies: dict[Series, Latency] = field(default_factory=dict)
    gauges: dict[str, list[float]] = field(default_factory=dict)
    parts: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


def number(values: Mapping[str, Any], key: str, where: Path) -> float:
    """A number of a file; `UsageError` naming the file when it is missing or something else."""
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{where}: '{key}' should be a number, not {value!r}")
    return float(value)


def mapping(values: Any, where: Path, what: str) -> Mapping[str, Any]:
    """An object of a file; `UsageError` when it is something else."""
    if not isinstance(values, dict):
        raise UsageError(f"{where}: '{what}' should be an object")
    return values


def sequence(values: Any, where: Path, what: str) -> Sequence[Any]:
    """A list of a file; `UsageError` when it is something else."""
    if not isinstance(values, list):
        raise UsageError(f"{where}: '{what}' should be a list")
    return values
