"""Load over time, one sample a second: made-up shapes and recorded files."""

from __future__ import annotations

import csv
import math
import random
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from dbz.bounded import TRACE, check_table, read_within
from dbz.config.phases.plan import Phase
from dbz.errors import ConfigError, Problem
from dbz.scaling.simulate.exports import is_export, is_json, read_export, rows_of

DAY_S = 86_400
MAX_SAMPLES = 31 * DAY_S
NOISE = 0.03
"""Standard deviation of a shape's noise, as a share of the load."""


@dataclass(frozen=True)
class Trace:
    """A load once a second; None where nothing was recorded."""

    name: str
    demand: Sequence[float | None]
    """In tasks: 2.5 keeps two and a half tasks fully busy. Of a censored second at least so much."""
    connections: Sequence[float | None]
    """Of all tasks."""
    memory: Sequence[float | None] | None = None
    """As a fraction of one task's; None: not recorded."""
    per_task_per_s: float = 0.0
    """So many requests keep a task busy; 0: not known."""
    censored: Sequence[bool] | None = None
    """The seconds in which all recorded tasks were fully busy, so that nobody knows how much more was asked; None: in
    none."""
    begin_s: float = 0.0
    """The time of its first second as the file tells it: seconds of its own, or since 1970."""

    @property
    def censored_s(self) -> int:
        """How many seconds are censored."""
        return sum(self.censored or ())

    def __len__(self) -> int:
        return len(self.demand)


@dataclass(frozen=True)
class Level:
    """A load to reach: requests a second and connections."""

    requests_per_s: float
    connections: float


def level_of(phase: Phase) -> Level:
    """What a phase must carry."""
    return Level(phase.requests, phase.connections)


def make_shape(name: str, phases: Sequence[Phase], peak: Phase, per_task_per_s: float, seed: int) -> Trace:
    """One of `SHAPES` up to what `peak` must carry, with seeded noise; `per_task_per_s` requests keep a task busy."""
    shares = SHAPES[name](phases, peak)
    numbers, top = random.Random(seed), level_of(peak)
    demand, connections = [], []
    for requests, sockets in shares:
        noisy = max(0.0, 1 + numbers.gauss(0, NOISE))
        demand.append(requests * top.requests_per_s * noisy / per_task_per_s)
        connections.append(round(sockets * top.connections))
    return Trace(name, demand, connections, per_task_per_s=per_task_per_s)


Shares = list[tuple[float, float]]


def _spike(_phases: Sequence[Phase], _peak: Phase) -> Shares:
    """Half an hour of a fifth, five times as much within a minute, half an hour of that, and back."""
    return _pieces([(0.2, 1800), (1.0, 60), (1.0, 1800), (0.2, 60), (0.2, 3600)])


def _ramp(_phases: Sequence[Phase], _peak: Phase) -> Shares:
    return _pieces([(0.1, 600), (1.0, 3600), (1.0, 1200), (0.1, 3600), (0.1, 1800)])


def _day(_phases: Sequence[Phase], _peak: Phase) -> Shares:
    """A day of a club app: quiet at night, a low morning, the peak at half past eight in the evening."""
    return [(share, share) for share in (_hour_of_day(second / 3600) for second in range(DAY_S))]


def _hour_of_day(hour: float) -> float:
    evening = math.exp(-(((hour - 20.5) / 2.2) ** 2))
    noon = 0.35 * math.exp(-(((hour - 12.5) / 1.8) ** 2))
    return 0.06 + 0.94 * min(1.0, evening + noon)


def _phases(phases: Sequence[Phase], peak: Phase) -> Shares:
    """The plan's phases up to `peak`, one after the other: ten minutes to reach each, an hour of it."""
    top, rows = level_of(peak), []
    reached = list(phases[: [one.name for one in phases].index(peak.name) + 1])
    before = level_of(reached[0])
    for one in reached:
        level = level_of(one)
        for at in range(600 + 3600):
            share = min(at / 600, 1.0)
            requests = before.requests_per_s + share * (level.requests_per_s - before.requests_per_s)
            sockets = before.connections + share * (level.connections - before.connections)
            rows.append((requests / top.requests_per_s, sockets / max(top.connections, 1)))
        before = level
    return rows


def _pieces(stages: Sequence[tuple[float, int]]) -> Shares:
    rows: Shares = []
    before = stages[0][0]
    for share, seconds in stages:
        rows += [(value, value) for value in (before + (share - before) * at / seconds for at in range(seconds))]
        before = share
    return rows


SHAPES: dict[str, Callable[[Sequence[Phase], Phase], Shares]] = {
    "spike": _spike, "ramp": _ramp, "day": _day, "phases": _phases,
}  # fmt: skip

SATURATED = 99.0
"""A mean CPU from so many percent on is all that there is."""
COLUMNS = ("time", "requests", "cpu", "tasks", "connections", "memory")


def read_traces(paths: Sequence[Path], per_task_per_s: float, tasks: int | None = None) -> Trace:
    """A recorded load: one CSV file of `read_trace`, or files that CloudWatch made, which are one recording together.

    `tasks` is how many ran where these do not say. `ConfigError` names what is wrong.
    """
    texts = {path: text_of(path) for path in paths}
    own = [path for path, text in texts.items() if not is_export(text)]
    if own and len(texts) > 1:
        raise ConfigError(
            [Problem(str(own[0]), "is a recording of its own: only files of CloudWatch go together")], code="S021"
        )
    if own:
        return read_trace(own[0], per_task_per_s)
    series = [one for path, text in texts.items() for one in read_export(path, text)]
    rows = [_Row(0, at_s, numbers) for at_s, numbers in rows_of(series, ", ".join(map(str, paths)), tasks)]
    return _per_second(paths[0], rows, per_task_per_s)


def text_of(path: Path) -> str:
    """What a recording says; `ConfigError` when it cannot be read, or is no text."""
    try:
        raw = read_within(path, TRACE)
        # A shell of Windows that writes an answer to a file makes UTF-16 of it, with the mark in front.
        text = raw.decode("utf-16" if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([Problem(str(path), f"cannot be read: {reason}")], code="S021") from error
    if not is_json(text):
        check_table(raw, str(path))
    return text


def read_trace(path: Path, per_task_per_s: float, text: str | None = None) -> Trace:
    """A recorded load from a CSV file with a header, or from `text`, which is what counts of it.

    `time` is seconds or ISO 8601. The load is `requests` (a second), or `cpu` (percent, the mean) and `tasks`.
    `connections` and `memory` (percent) may follow. An empty cell is a value that is missing; each row counts until the
    next one. `ConfigError` names the first line that is wrong.
    """
    reader = csv.DictReader((text_of(path) if text is None else text).splitlines(keepends=True))
    try:
        columns = [name.strip().lower() for name in reader.fieldnames or []]
        _check_columns(path, columns)
        reader.fieldnames = columns
        rows = [_row(path, reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ConfigError([Problem(f"{path}:{reader.line_num}", str(error))], code="S021") from error
    return _per_second(path, rows, per_task_per_s)


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    unknown = [name for name in columns if name not in COLUMNS]
    load = "requests" in columns or ("cpu" in columns and "tasks" in columns)
    if "time" not in columns or not load or unknown:
        what = (
            f"column '{unknown[0]}' is unknown" if unknown else "the header needs 'time', and 'requests' or 'cpu,tasks'"
        )
        raise ConfigError([Problem(f"{path}:1", what, ", ".join(COLUMNS))], code="S021")


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    time_s: float
    numbers: dict[str, float | None]


def _row(path: Path, line: int, row: dict[str, str | None]) -> _Row:
    numbers: dict[str, float | None] = {}
    for name, text in row.items():
        cell = (text or "").strip() if isinstance(text, str | None) else ""
        if name not in COLUMNS:
            raise ConfigError([Problem(f"{path}:{line}", "has more cells than the header")], code="S021")
        if name == "time":
            numbers[name] = _time(path, line, cell)
            continue
        try:
            numbers[name] = float(cell) if cell else None
        except ValueError:
            numbers[name] = math.nan
        value = numbers[name]
        if value is not None and not 0 <= value < math.inf:
            raise ConfigError([Problem(f"{path}:{line}", f"{name}: '{cell}' is not a number from 0 up")], code="S021")
    time_s = numbers.pop("time")
    assert time_s is not None
    return _Row(line, time_s, numbers)


def _time(path: Path, line: int, cell: str) -> float:
    try:
        seconds = float(cell)
    except ValueError:
        pass
    else:
        if math.isfinite(seconds):
            return seconds
    try:
        return datetime.fromisoformat(cell).timestamp()
    except (ValueError, OverflowError):
        problem = Problem(f"{path}:{line}", f"time: '{cell}' is neither seconds nor ISO 8601")
        raise ConfigError([problem], code="S021") from None


def _per_second(path: Path, rows: Sequence[_Row], per_task_per_s: float) -> Trace:
    if len(rows) < 2:
        raise ConfigError([Problem(str(path), "needs at least two rows")], code="S021")
    for before, after in pairwise(rows):
        if after.time_s <= before.time_s:
            raise ConfigError([Problem(f"{path}:{after.line}", "time does not go forward")], code="S021")
    if rows[-1].time_s - rows[0].time_s > MAX_SAMPLES:
        raise ConfigError([Problem(f"{path}:{rows[-1].line}", "covers more than 31 days")], code="S021")
    demand: list[float | None] = []
    connections: list[float | None] = []
    memory: list[float | None] | None = [] if "memory" in rows[0].numbers else None
    censored: list[bool] | None = [] if any(_saturated(row.numbers) for row in rows) else None
    last_step_s = rows[-1].time_s - rows[-2].time_s
    ends_s = [row.time_s for row in rows[1:]] + [rows[-1].time_s + last_step_s]
    for row, end_s in zip(rows, ends_s, strict=True):
        seconds = max(0, round(end_s - rows[0].time_s) - len(demand))
        demand += [_demand(row.numbers, per_task_per_s)] * seconds
        connections += [row.numbers.get("connections")] * seconds
        if memory is not None:
            percent = row.numbers.get("memory")
            memory += [None if percent is None else percent / 100] * seconds
        if censored is not None:
            censored += [_saturated(row.numbers)] * seconds
    return Trace(path.stem, demand, connections, memory, per_task_per_s, censored, rows[0].time_s)


def _saturated(numbers: dict[str, float | None]) -> bool:
    """Whether the load was read off a CPU that could give no more."""
    return numbers.get("requests") is None and (numbers.get("cpu") or 0.0) >= SATURATED


def _demand(numbers: dict[str, float | None], per_task_per_s: float) -> float | None:
    requests, cpu, tasks = (numbers.get(name) for name in ("requests", "cpu", "tasks"))
    if requests is not None:
        return requests / per_task_per_s
    return None if cpu is None or tasks is None else cpu / 100 * tasks
