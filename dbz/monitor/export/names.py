"""What figures are called outside: `dbz_monitor_response_time_seconds`, in base units as Prometheus wants them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dbz.config.grammar.watched import UNIT_OF, MetricUnit, Watched

_PREFIX = "dbz_monitor_"
_UNITS = {
    MetricUnit.SHARE: ("ratio", 1.0),
    MetricUnit.TIME: ("seconds", 1e-3),
    MetricUnit.RATE: ("per_second", 1.0),
    MetricUnit.NUMBER: ("", 1.0),
}
_ENDINGS = {
    "bytes": ("bytes", 1.0),
    "ms": ("seconds", 1e-3),
    "s": ("seconds", 1.0),
    "share": ("ratio", 1.0),
    "ratio": ("ratio", 1.0),
    "per_s": ("per_second", 1.0),
}
"""By the end of a name, longer ones last: the base unit, and what a value is multiplied by."""
_OTHER = re.compile(r"[^a-zA-Z0-9]+")


@dataclass(frozen=True)
class MetricName:
    """How one figure is called outside."""

    name: str
    unit: str
    """Which the name ends with; empty where it has none."""
    factor: float
    """What a value is multiplied by to be in that unit."""


def metric_name(key: str) -> MetricName:
    """The name of a figure by its key in the store."""
    if key in list(Watched):
        unit, factor = _UNITS[UNIT_OF[Watched(key)]]
        return _named(_plain(key), unit, factor)
    plain = _plain(key)
    for ending, (unit, factor) in reversed(_ENDINGS.items()):
        if plain.endswith(f"_{ending}"):
            return _named(plain.removesuffix(f"_{ending}"), unit, factor)
    return _named(plain, "", 1.0)


def _plain(key: str) -> str:
    return _OTHER.sub("_", key).strip("_").lower() or "unnamed"


def _named(stem: str, unit: str, factor: float) -> MetricName:
    ending = f"_{unit}" if unit and not stem.endswith(f"_{unit}") else ""
    return MetricName(f"{_PREFIX}{stem}{ending}", unit, factor)
