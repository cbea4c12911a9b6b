"""Series of other tools as recordings: CSV, and answers of Prometheus to `query_range`.

CSV has a column `time` (seconds since the epoch, or a time of ISO 8601; without a zone it is UTC). Then either columns
`figure` and `mean` or `value`, and perhaps `target`, a line for each value, as `dbz monitor export` writes it; or a
column for each metric, which its heading names: `response time`, `CPU [%]`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbz.bounded import RECORDING, SERIES, check_size, parse_json, read_within, texts_within
from dbz.config.grammar.conditions import SentenceReader
from dbz.config.grammar.watched import UNIT_OF, MetricUnit, Watched
from dbz.config.source.files import existing_file
from dbz.errors import UsageError
from dbz.monitor.replay.recording import RecordedReadings, from_points

TARGET = "recorded"
"""The name of the only target of a file that names none."""
Points = Iterator[tuple[str, Watched | None, float, float]]
_HEADING = re.compile(r"(?P<metric>[^\[\]]+?)\s*(?:\[(?P<unit>[^\[\]]+)\])?")
_TARGET_LABELS = ("target", "service", "job", "instance")
_FACTORS: dict[MetricUnit, dict[str, float]] = {
    MetricUnit.SHARE: {"": 1.0, "%": 0.01},
    MetricUnit.TIME: {"": 1.0, "ms": 1.0, "s": 1000.0},
    MetricUnit.RATE: {"": 1.0, "/s": 1.0, "/min": 1 / 60},
    MetricUnit.NUMBER: {"": 1.0},
}


def target_named(text: str) -> str:
    """What somebody else calls a service, as a name that a monitor file can have."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_")[:39] or TARGET
    return name if name[0].isalpha() else f"t{name}"


def of_file(text: str, default_target: str, period_s: float | None) -> RecordedReadings:
    """A recording from `FILE`, or from `METRIC [UNIT]=FILE` for a file that does not say what its values are.

    `UsageError` names the file, and the line of what cannot be read in it.
    """
    meaning, equals, name = text.rpartition("=")
    path = existing_file("series", name if equals else text)
    check_size(path, RECORDING)
    metric = _metric_of(meaning, str(path)) if equals else None
    read = _prometheus if path.suffix == ".json" else _csv
    return from_points(str(path), read(path, metric, default_target), period_s)


def _metric_of(heading: str, where: str) -> tuple[Watched | None, float]:
    """The metric that a heading names, None for `up`, and what its values are multiplied by."""
    match = _HEADING.fullmatch(heading.strip())
    if match is None:
        raise UsageError(f"{where}: '{heading}' is not a metric; write for example 'response time [s]'", code="M006")
    if match["metric"] == "up":
        return None, 1.0
    try:
        reader = SentenceReader(match["metric"].replace("_", " "))
        metric = reader.metric()
        reader.end("nothing more")
    except ValueError as error:
        raise UsageError(f"{where}: {error}", code="M006") from error
    factors, unit = _FACTORS[UNIT_OF[metric]], match["unit"] or ""
    if unit not in factors:
        raise UsageError(
            f"{where}: {metric.value} is in {' or '.join(filter(None, factors))}, not in {unit}", code="M006"
        )
    return metric, factors[unit]


def _csv(path: Path, metric: tuple[Watched | None, float] | None, default_target: str) -> Points:
    with path.open("rb") as file:
        rows = csv.reader(texts_within(file, str(path)))
        try:
            heads = [head.strip() for head in next(rows, [])]
            if "time" not in heads:
                raise UsageError(
                    f"{path}:1: there is no column 'time' (columns: {', '.join(heads) or 'none'})", code="M006"
                )
            long = "figure" in heads
            yield from (
                _long(path, heads, rows, default_target) if long else _wide(path, heads, rows, metric, default_target)
            )
        except (csv.Error, UnicodeDecodeError) as error:
            raise UsageError(f"{path}:{rows.line_num}: {error}", code="M006") from error


def _long(path: Path, heads: Sequence[str], rows: Any, default_target: str) -> Points:
    value_at = next((heads.index(name) for name in ("mean", "value") if name in heads), None)
    if value_at is None:
        raise UsageError(f"{path}:1: there is no column 'mean' or 'value' beside 'figure'", code="M006")
    time_at, figure_at = heads.index("time"), heads.index("figure")
    target_at = heads.index("target") if "target" in heads else None
    known: dict[str, Watched | None] = {**{metric.value: metric for metric in Watched}, "up": None}
    for row in rows:
        if len(row) > max(time_at, figure_at, value_at) and row[figure_at] in known:
            where = f"{path}:{rows.line_num}"
            target = target_named(row[target_at]) if target_at is not None and len(row) > target_at else default_target
            yield target, known[row[figure_at]], _time(row[time_at], where), _number(row[value_at], where)


def _wide(
    path: Path, heads: Sequence[str], rows: Any, metric: tuple[Watched | None, float] | None, default_target: str
) -> Points:
    time_at = heads.index("time")
    target_at = heads.index("target") if "target" in heads else None
    columns = [at for at in range(len(heads)) if at not in (time_at, target_at)]
    if metric is not None and len(columns) != 1:
        raise UsageError(
            f"{path}:1: which column is it? beside 'time' there are {', '.join(heads[at] for at in columns)}",
            code="M006",
        )
    meanings = {at: metric or _metric_of(heads[at], f"{path}:1") for at in columns}
    for row in rows:
        where = f"{path}:{rows.line_num}"
        for at, (watched, factor) in meanings.items():
            if at < len(row) and row[at].strip():
                target = (
                    target_named(row[target_at]) if target_at is not None and target_at < len(row) else default_target
                )
                yield target, watched, _time(row[time_at], where), _number(row[at], where) * factor


def _prometheus(path: Path, metric: tuple[Watched | None, float] | None, default_target: str) -> Points:
    if metric is None:
        raise UsageError(
            f"what do the values of {path} mean? write for example 'response time [s]={path}'", code="M006"
        )
    try:
        answer = parse_json(read_within(path, SERIES), str(path))
        series = answer["data"]["result"]
        assert isinstance(series, list), "as the API has it"
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise UsageError(f"{path} is not an answer of Prometheus to query_range", code="M006") from error
    watched, factor = metric
    for number, one in enumerate(series, 1):
        where = f"{path}, series {number}"
        labels = one.get("metric", {}) if isinstance(one, dict) else {}
        target = next((target_named(str(labels[name])) for name in _TARGET_LABELS if name in labels), default_target)
        for point in one.get("values", []) if isinstance(one, dict) else []:
            if not isinstance(point, list) or len(point) != 2:
                raise UsageError(f"{where}: {point!r} is not a time and a value", code="M006")
            yield target, watched, _time(str(point[0]), where), _number(str(point[1]), where) * factor


def _time(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"{where}: '{text[:40]}' is not a time; write seconds since 1970 or 2026-11-29T21:00:00Z", code="M006"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{where}: '{text[:40]}' is not a number", code="M006") from error
