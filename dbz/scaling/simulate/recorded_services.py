"""Recorded loads of several services: columns of one CSV file, a file for each of them, or the record of a run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dbz.errors import ConfigError, Problem, UsageError
from dbz.scaling.simulate.exports import is_json
from dbz.scaling.simulate.traces import Trace, read_trace, read_traces, text_of

_COLUMN = re.compile(r"(?P<name>\w+)\{service=(?P<service>[A-Za-z0-9_-]+)\}")
_TIME = "time"

RateOf = Callable[[str], float | None]
"""How many requests a second a task of a service carries; None where that is not known."""


def split_by_service(path: Path) -> dict[str, str] | None:
    """The text of a recording for each service of a CSV file with columns such as `requests{service=chat}`; None when
    it has no such columns. `ConfigError` when only some of its columns say a service, or it is no table."""
    text = text_of(path)
    if is_json(text):
        return None
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise ConfigError([Problem(f"{path}:{reader.line_num}", str(error))], code="S021") from error
    head = [name.strip() for name in rows[0]] if rows else []
    columns = {at: found for at, name in enumerate(head) if (found := _COLUMN.fullmatch(name))}
    if not columns:
        return None
    times = [at for at, name in enumerate(head) if name.lower() == _TIME]
    nobodys = [name for at, name in enumerate(head) if at not in columns and at not in times]
    if nobodys or len(times) != 1:
        what = f"column '{nobodys[0]}' says no service" if nobodys else "the header needs 'time' once"
        raise ConfigError([Problem(f"{path}:1", what, "time, requests{service=chat} and the like")], code="S021")
    services = dict.fromkeys(found["service"] for found in columns.values())
    return {
        name: _as_csv(
            [_TIME, *(one["name"] for one in columns.values() if one["service"] == name)],
            [[*row[times[0] : times[0] + 1], *_cells(row, columns, name)] for row in rows[1:] if row],
        )
        for name in services
    }


def _cells(row: Sequence[str], columns: Mapping[int, re.Match[str]], service: str) -> Iterable[str]:
    return (row[at] if at < len(row) else "" for at, one in columns.items() if one["service"] == service)


def _as_csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([head, *rows])
    return text.getvalue()


def recorded_by_run(lines: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The text of a recording for each service of a run, by what its target told once a second: the CPU of its tasks,
    and how many they were."""
    told: dict[str, list[list[str]]] = {}
    for line in lines:
        for name, second in line.get("services", {}).items():
            tasks, cores = second.get("processes"), second.get("cores")
            if tasks and cores is not None:
                # A process of one core that a second's measurement says to be busier than that is busy all the time.
                cpu = min(100 * cores / tasks, 100.0)
                told.setdefault(name, []).append([f"{line['t']}", f"{cpu:.2f}", f"{tasks:.0f}"])
    return {name: _as_csv([_TIME, "cpu", "tasks"], rows) for name, rows in told.items()}


def read_split(path: Path, texts: Mapping[str, str], rate_of: RateOf) -> dict[str, Trace]:
    """The recordings of services that stand in one file or run."""
    traces = {}
    for service, text in texts.items():
        head = text.partition("\n")[0].strip().split(",")
        rate = _rate(service, rate_of) if "requests" in head else 0.0
        traces[service] = replace(read_trace(path, rate, text), name=path.stem)
    return traces


def read_named(files: Mapping[str, Sequence[Path]], rate_of: RateOf, tasks: int | None) -> dict[str, Trace]:
    """The recordings of services that have files of their own, which must begin together."""
    traces = {}
    for service, paths in files.items():
        # What a file of CloudWatch has is only known when it is read: 0 tells that nobody has to know the rate.
        rate = rate_of(service) or 0.0
        if rate == 0.0 and any("requests" in text_of(path).lower() for path in paths):
            rate = _rate(service, rate_of)
        traces[service] = read_traces(paths, rate, tasks)
    first = min(traces, key=lambda name: traces[name].begin_s)
    for service, trace in traces.items():
        late_s = trace.begin_s - traces[first].begin_s
        if late_s >= 1:
            what = f"begins {late_s:.0f} s after that of {first}: services that are played together begin together"
            raise ConfigError([Problem(str(files[service][0]), what)], code="S021")
    return traces


def of_one_length(traces: Mapping[str, Trace]) -> dict[str, Trace]:
    """All recordings as long as the shortest one."""
    end = min(len(trace) for trace in traces.values())
    return {name: _cut(trace, end) for name, trace in traces.items()}


def _cut(trace: Trace, end: int) -> Trace:
    return replace(
        trace,
        demand=trace.demand[:end],
        connections=trace.connections[:end],
        memory=None if trace.memory is None else trace.memory[:end],
        censored=None if trace.censored is None else trace.censored[:end],
    )


def _rate(service: str, rate_of: RateOf) -> float:
    rate = rate_of(service)
    if not rate:
        raise UsageError(
            f"how many requests a task of {service} carries is not known",
            hint=f"say it with --per-task {service}=50/s, or record cpu and tasks",
            code="S028",
        )
    return rate
