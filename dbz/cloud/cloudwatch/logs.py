"""What CloudWatch Logs makes of a task's log: metrics, of the lines in the embedded metric format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MARK = b'"_aws"'


@dataclass(frozen=True)
class Logged:
    """One value of a metric that a task has written to its log."""

    namespace: str
    name: str
    unit: str
    dimensions: dict[str, str]
    value: float
    at_s: float


class LogFollower:
    """Follows a log that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> list[Logged]:
        """The values of the lines that were finished since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except OSError:
            return []
        whole = text.rfind(b"\n") + 1
        self._offset += whole
        return [value for line in text[:whole].splitlines() if _MARK in line for value in _values(line)]


def _values(line: bytes) -> list[Logged]:
    """Of each metric that a line declares, with each set of its dimensions; none when it is not in the format."""
    try:
        document = json.loads(line)
        about = document["_aws"]
        return [
            _value(document, one, metric, names, about["Timestamp"] / 1000)
            for one in about["CloudWatchMetrics"]
            for metric in one["Metrics"]
            for names in one["Dimensions"]
        ]
    except (ValueError, KeyError, TypeError):
        return []


def _value(document: Any, about: Any, metric: Any, names: list[str], at_s: float) -> Logged:
    dimensions = {name: str(document[name]) for name in names}
    unit = metric.get("Unit", "None")
    return Logged(about["Namespace"], metric["Name"], unit, dimensions, float(document[metric["Name"]]), at_s)
