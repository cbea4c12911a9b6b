"""The review of a range of time, schema `dbz.monitor-report/1`: what the report shows, and its JSON.

Values are in the units of the store: shares of one, milliseconds, bytes, so many a second. Times are in seconds since
the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import ConfigDict

SCHEMA = "dbz.monitor-report/1"


@dataclass(frozen=True)
class FigureSummary:
    """One figure of one target over the range."""

    key: str
    """Its name in the store."""
    mean: float
    """Of error rates and response times weighted by the requests of each step, where those are told."""
    peak: float
    low: float
    last: float
    readings: int


@dataclass(frozen=True)
class TrendFinding:
    """Where a figure is going."""

    key: str
    since_s: float
    """The beginning of the trend: that of the range, or the last change of level."""
    per_hour: float
    """The slope."""
    low_per_hour: float
    """The ends of its 95 % interval."""
    high_per_hour: float
    p: float
    """How often noise of the same kind looks like it."""
    level: float
    """The value of the line at the end of the range."""
    is_clear: bool
    """Whether the direction is certain, and what came of it worth a word."""
    limit: float | None = None
    """Of the rule that judges the figure."""
    rule: str = ""
    """That rule, by the type of its alert."""
    days_to_limit: float | None = None
    """After how many days the line is there; None where it never is, or where nothing is clear."""
    days_low: float | None = None
    """The soonest, by the interval of the slope."""
    days_high: float | None = None
    """The latest; None for never."""


@dataclass(frozen=True)
class ChangeFinding:
    """When a figure came to a new level."""

    key: str
    at_s: float
    before: float
    after: float


@dataclass(frozen=True)
class AlertSpan:
    """An alert that was on."""

    target: str
    type: str
    severity: str
    begin_s: float
    end_s: float | None
    """None while it is on."""
    value: float | None
    """When it began, in the unit of its rule."""
    when: str
    """The sentence of its rule; empty where it needs none, or the file has it no more."""


@dataclass(frozen=True)
class Advice:
    """What to do next."""

    priority: str
    """`high`, `medium` or `low`."""
    target: str
    text: str
    evidence: str
    command: str
    """What to run."""


@dataclass
class TargetReview:
    """What became of one target."""

    name: str
    uptime: float | None
    """The share of questions about its health that were answered well; None where it has no health."""
    covered_s: float
    """For how long there are data."""
    without_data_s: float
    """For how long there are none, since it was watched first."""
    words: dict[str, str] = field(default_factory=dict)
    """The newest of what it tells in words, like `health` and `trouble`."""
    figures: list[FigureSummary] = field(default_factory=list)
    trends: list[TrendFinding] = field(default_factory=list)
    changes: list[ChangeFinding] = field(default_factory=list)

    def figure(self, key: str) -> FigureSummary | None:
        """A figure by its name in the store."""
        return next((one for one in self.figures if one.key == key), None)


@dataclass
class Review:
    """All of it."""

    __pydantic_config__: ClassVar = ConfigDict(
        use_attribute_docstrings=True, extra="forbid", json_schema_serialization_defaults_required=True
    )
    """For its JSON Schema; all that is written is always there."""
    begin_s: float
    end_s: float
    data_begin_s: float | None = None
    """When the first of what is kept of the range was told; None where nothing is."""
    data_end_s: float | None = None
    """When the last of it was."""
    step_s: int = 0
    """Of its series: what a chart can show of the time that there are data of."""
    targets: list[TargetReview] = field(default_factory=list)
    alerts: list[AlertSpan] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)
    schema: str = SCHEMA
