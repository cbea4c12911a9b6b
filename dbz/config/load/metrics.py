"""Where a target's own figures are: the keys below `metrics` in a profile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dbz.config.source.model import Strict
from dbz.masking import masked_url

Unit = Literal[
    "seconds",
    "milliseconds",
    "microseconds",
    "nanoseconds",
    "cores",
    "share",
    "percent",
    "bytes",
    "kilobytes",
    "megabytes",
    "count",
]
_CPU = frozenset(("seconds", "milliseconds", "microseconds", "nanoseconds", "cores", "share", "percent"))
_TIME = frozenset(("seconds", "milliseconds", "microseconds", "nanoseconds"))
UNITS: Mapping[str, frozenset[str]] = {
    "cpu": _CPU,
    "memory": frozenset(("bytes", "kilobytes", "megabytes")),
    "connections": frozenset(("count",)),
    "event_loop_lag": _TIME,
    "active_requests": frozenset(("count",)),
    "queries": _TIME,
}
"""The units that a figure can be given in."""
_NAME = re.compile(r"([A-Za-z_:][\w:.]*)\s*(?:\{(.*)\})?", re.ASCII | re.DOTALL)
_LABEL = re.compile(r"\s*([A-Za-z_][\w.]*)\s*=\s*\"([^\"\\]*)\"\s*(?:,|$)", re.ASCII)
_MOST_INSTANCES = 50


def _as_mapping(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def parse_metric_name(text: str) -> tuple[str, dict[str, str]]:
    """The name in `my_cpu_seconds_total{app="api"}`, and the labels that a sample must have."""
    match = _NAME.fullmatch(text.strip())
    labels: dict[str, str] = {}
    rest = (match[2] or "") if match else ""
    at = 0
    while match and at < len(rest):
        label = _LABEL.match(rest, at)
        if not label:
            match = None
            break
        labels[label[1]] = label[2]
        at = label.end()
    if match is None:
        raise ValueError(f"'{text}' is not the name of a metric; write for example my_cpu_seconds_total{{app=\"api\"}}")
    return match[1], labels


def _metric_name(value: str) -> str:
    parse_metric_name(value)
    return value


def check_place(text: str) -> str:
    """A path below the target (`/status`) or a whole URL; `ValueError` for anything else."""
    parts = urlsplit(text)
    if text.startswith("/") and not text.startswith("//") and not any(sign.isspace() for sign in text):
        return text
    try:
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or any(sign.isspace() for sign in text):
        raise ValueError(
            f"'{masked_url(text)}' is neither a path nor a URL; write for example /status or http://127.0.0.1:9100/metrics"
        )
    return text


def _place(value: object) -> object:
    return check_place(value) if isinstance(value, str) else value


Place = Annotated[str, BeforeValidator(_place, json_schema_input_type=str)]
"""A path below the target, or a URL of http or https."""


class NamedFigure(Strict):
    """The metric that gives a figure; its name alone is enough where that tells the unit, as `_seconds_total` does."""

    name: Annotated[str, AfterValidator(_metric_name)]
    """As it stands in the exposition, with labels that its samples must have: `my_cpu_seconds_total{app="api"}`."""
    unit: Unit | None = None
    """What a value of 1 is; without it the end of the name tells: `_ms`, `_percent`, `_megabytes` and their like."""
    label: str = ""
    """Of queries: the label that names them; without it all labels together do."""


class NamedBreakers(Strict):
    """A gauge of circuit breakers, of which a value above 0 says that one is open."""

    name: Annotated[str, AfterValidator(_metric_name)]
    """As it stands in the exposition, with labels that its samples must have: `my_breaker{state="open"}`."""
    service: str = "service"
    """The label that names the service behind the breaker."""
    instance: str = ""
    """The label that names an instance of it, where each has a breaker."""


FigurePlace = Annotated[
    NamedFigure | None, BeforeValidator(_as_mapping, json_schema_input_type=str | NamedFigure | None)
]
"""The name of a metric, or a mapping with more."""


class TargetMetrics(Strict):
    """Where the target tells its own figures, and what they are called there, where that is no standard name."""

    url: Annotated[list[Place], BeforeValidator(_as_list, json_schema_input_type=str | list[str])] = Field(
        default_factory=list, max_length=_MOST_INSTANCES
    )
    """A path below the target or a URL, or a list of them, one for each instance; without it `/metrics`."""
    cores: float | None = Field(None, gt=0, le=100_000)
    """How many cores the target has, all instances together, where neither it nor this machine tells."""
    cpu: FigurePlace = None
    """A counter of CPU time, or a gauge in cores or as a share of all cores."""
    memory: FigurePlace = None
    """A gauge; the values of several label sets are added up."""
    connections: FigurePlace = None
    """A gauge of sockets or connections that are open now."""
    event_loop_lag: FigurePlace = None
    """A gauge of how late the event loop runs what is due; of several label sets the worst counts."""
    active_requests: FigurePlace = None
    """A gauge of requests that are being answered now."""
    queries: FigurePlace = None
    """A histogram of query durations, named without `_bucket`."""

    breakers: Annotated[
        NamedBreakers | None, BeforeValidator(_as_mapping, json_schema_input_type=str | NamedBreakers | None)
    ] = None
    """A gauge of circuit breakers, where that is none of the names that are known."""

    @model_validator(mode="after")
    def _units_fit(self) -> TargetMetrics:
        for key, figure in self.named().items():
            if figure.unit is not None and figure.unit not in UNITS[key]:
                allowed = ", ".join(sorted(UNITS[key]))
                raise ValueError(f"{key} is not given in {figure.unit}; allowed: {allowed}")
        return self

    def named(self) -> dict[str, NamedFigure]:
        """The figures that have a name of their own here."""
        return {key: value for key in UNITS if (value := getattr(self, key)) is not None}
