"""Incidents that somebody has marked, schema `dbz.incidents/1`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from dbz.config.monitor.moments import Moment, seconds_of
from dbz.config.monitor.routes import Zone
from dbz.config.source.files import existing_file
from dbz.config.source.model import Strict, build
from dbz.config.source.source import read_yaml
from dbz.errors import ConfigError, Problem


class IncidentEntry(Strict):
    """Some time in which something was wrong."""

    begin: Moment = Field(alias="from")
    """A local time of `zone`, or a duration since the start of what is replayed."""
    end: Moment = Field(alias="to")
    type: list[str] = Field(default_factory=list)
    """Types of the alerts that should have told of it [default: any]."""
    what: str = ""


class IncidentsFile(Strict):
    """What really happened, for `dbz monitor backtest --incidents`."""

    schema_: Literal["dbz.incidents/1"] = Field(alias="schema")
    zone: Zone = "UTC"
    incidents: list[IncidentEntry] = Field(min_length=1)


@dataclass(frozen=True)
class Incident:
    """Some time in which something was wrong, in seconds since the epoch."""

    begin_s: float
    end_s: float
    type: tuple[str, ...] = ()
    what: str = ""


def load_incidents(text: str, start_s: float) -> list[Incident]:
    """The incidents of a file, the oldest first; durations in it count from `start_s`."""
    source = read_yaml(existing_file("incidents", text))
    file = build(IncidentsFile, source)
    start = datetime.fromtimestamp(start_s, ZoneInfo(file.zone))
    incidents, problems = [], []
    for index, one in enumerate(file.incidents):
        begin_s, end_s = (start_s + seconds_of(moment, start) for moment in (one.begin, one.end))
        if begin_s >= end_s:
            problems.append(
                Problem(source.where(("incidents", index)), f"it ends ({one.end}) before it begins ({one.begin})")
            )
        incidents.append(Incident(begin_s, end_s, tuple(one.type), one.what))
    if problems:
        raise ConfigError(problems)
    return sorted(incidents, key=lambda one: one.begin_s)
