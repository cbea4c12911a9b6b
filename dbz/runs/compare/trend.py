"""The history of a load: every figure over its runs, and where it changed, schema `dbz.trend/1`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from dbz.config.described import describe
from dbz.errors import UsageError
from dbz.measure.compare.change_points import MIN_SEGMENT, change_points
from dbz.runs.compare.comparable import obstacles
from dbz.runs.schema import Run

SCHEMA = "dbz.trend/1"
STATS = ("p50", "p95")
MIN_CHANGE = 0.03
"""Smaller changes of level are not worth a line."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, json_schema_extra=describe)


class LevelStep(_Part):
    """A change of level."""

    run: str
    """The id of the first run of the new level."""
    started: str
    before: float
    """The geometric mean of the old level, in ms."""
    after: float
    """The geometric mean of the new level, in ms."""
    change: float
    """As a share of the old level."""


class History(_Part):
    """One figure over all runs."""

    kind: str
    operation: str
    stat: str
    values: list[float | None]
    """In ms, a run each; null where a run did not have it."""
    steps: list[LevelStep] = Field(default_factory=list)


class Trend(_Part):
    """The history of one load."""

    schema_: str = Field(SCHEMA, alias="schema")
    profile: str
    runs: list[str]
    """Ids, oldest first."""
    skipped: list[str] = Field(default_factory=list)
    """Ids of runs that cannot be compared with the newest."""
    histories: list[History] = Field(default_factory=list)

    def to_json(self) -> str:
        """The trend as JSON."""
        return self.model_dump_json(by_alias=True, indent=1)


def trend_of(runs: Sequence[Run], profile: str = "") -> Trend:
    """The trend of a profile (that of the newest run when none is named) over runs, oldest first.

    `UsageError` when there are too few runs to tell two levels apart.
    """
    wanted = [run for run in runs if profile in ("", run.profile.get("name"))]
    usable = [run for run in wanted if not obstacles(run, run)]
    if not usable:
        known = ", ".join(sorted({str(run.profile.get("name")) for run in runs})) or "none"
        raise UsageError(f"no run of {profile or 'any profile'} can be used (profiles with runs: {known})", code="R002")
    newest = usable[-1]
    name = str(newest.profile.get("name"))
    chosen = [run for run in usable if not obstacles(run, newest)]
    if len(chosen) < 2 * MIN_SEGMENT:
        raise UsageError(
            f"{len(chosen)} comparable run(s) of {name}; a change needs {MIN_SEGMENT} runs on each side of it",
            hint="dbz report list",
            code="R002",
        )
    operations = sorted({(one.kind, one.name) for run in chosen for one in run.operations})
    return Trend(
        profile=name,
        runs=[run.id for run in chosen],
        skipped=[run.id for run in wanted if run not in chosen and run.profile.get("name") == name],
        histories=[_history(chosen, kind, of, stat) for kind, of in operations for stat in STATS],
    )


def _history(runs: Sequence[Run], kind: str, name: str, stat: str) -> History:
    values = [_value(run, kind, name, stat) for run in runs]
    known = [(run, value) for run, value in zip(runs, values, strict=True) if value]
    logs = [math.log(value) for _, value in known]
    found = change_points(logs)
    levels = [math.exp(sum(logs[a:b]) / (b - a)) for a, b in itertools.pairwise([0, *found, len(logs)]) if b > a]
    steps = [
        LevelStep(
            run=known[at][0].id,
            started=known[at][0].started,
            before=round(before, 4),
            after=round(after, 4),
            change=round(after / before - 1, 4),
        )
        for at, (before, after) in zip(found, itertools.pairwise(levels), strict=True)
    ]
    steps = [step for step in steps if abs(step.change) >= MIN_CHANGE]
    return History(kind=kind, operation=name, stat=stat, values=values, steps=steps)


def _value(run: Run, kind: str, name: str, stat: str) -> float | None:
    found = (one for one in run.operations if (one.kind, one.name) == (kind, name))
    return next((getattr(one.latency_ms, stat) for one in found), None)
