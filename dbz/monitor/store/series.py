"""Series of readings in the file of a monitor: every reading, then a line a minute, then a line an hour.

A round is written as it is, a line of JSON for each target; what is older than the running hour is sealed, one target
and hour at a time: its readings and its minutes become a packed chunk for each series, its hours rows that can be
selected by themselves. So a kill loses nothing that was kept, and writing costs one row a target.

A packed reading takes 2 bytes, an eighth of a row of (series, time, value): see `benchmarks/bench_monitor.py`.
"""

from __future__ import annotations

import json
import math
import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dbz.monitor.store.columns import pack, unpack
from dbz.monitor.store.rollups import HOUR_S, MINUTE_S, Rollup, Sample, rolled, scaled, single, whole_numbers

SCHEMA = """
CREATE TABLE IF NOT EXISTS readings (target TEXT NOT NULL, t REAL NOT NULL, figures TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS readings_t ON readings (t);
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, target TEXT NOT NULL, key TEXT NOT NULL,
    UNIQUE (target, key));
CREATE TABLE IF NOT EXISTS chunks_raw (series INTEGER NOT NULL, t INTEGER NOT NULL, power INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS chunks_minutes (series INTEGER NOT NULL, t INTEGER NOT NULL, power INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS chunks_raw_t ON chunks_raw (series, t);
CREATE INDEX IF NOT EXISTS chunks_minutes_t ON chunks_minutes (series, t);
CREATE TABLE IF NOT EXISTS hours (series INTEGER NOT NULL, t INTEGER NOT NULL, count INTEGER NOT NULL,
    total REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL, last REAL NOT NULL,
    PRIMARY KEY (series, t)) WITHOUT ROWID;
"""
PERIOD = "period_s"
"""The series of every target that tells for how long each reading stands: its sum is the time with data."""
RAW, MINUTES = "chunks_raw", "chunks_minutes"
"""Tables of chunks. One for each level: what goes at the same time is next to each other, and frees whole pages."""
_SEALED_A_ROUND = 4
_ADD_HOUR = """
INSERT INTO hours VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (series, t) DO UPDATE SET count = count + excluded.count,
    total = total + excluded.total, low = min(low, excluded.low), high = max(high, excluded.high), last = excluded.last
"""


def append(db: sqlite3.Connection, t: float, figures: Mapping[str, Mapping[str, Any]], period_s: float) -> None:
    """Keep what a round told of each target, within the caller's transaction."""
    db.executemany(
        "INSERT INTO readings VALUES (?, ?, ?)",
        [(target, t, json.dumps({**row, PERIOD: period_s})) for target, row in figures.items()],
    )


def seal(db: sqlite3.Connection, now_s: float, most: int = _SEALED_A_ROUND) -> int:
    """Pack readings from before the running hour, so many targets and hours at most; how many that were."""
    for done in range(most):
        oldest = db.execute(
            "SELECT target, t FROM readings WHERE t < ? ORDER BY t LIMIT 1", (_hour_of(now_s),)
        ).fetchone()
        if oldest is None:
            return done
        _seal_hour(db, oldest[0], _hour_of(oldest[1]))
    return most


def _seal_hour(db: sqlite3.Connection, target: str, hour: int) -> None:
    where, values = "target = ? AND t >= ? AND t < ?", (target, hour, hour + HOUR_S)
    rows = db.execute(f"SELECT t, figures FROM readings WHERE {where} ORDER BY t", values).fetchall()  # noqa: S608
    for key, samples in samples_of(rows).items():
        series = _series_id(db, target, key)
        power, numbers = whole_numbers([value for _, value in samples])
        singles = [single((t - hour, number)) for (t, _), number in zip(samples, numbers, strict=True)]
        # Sums of whole numbers: what the roll-ups say is exactly what the readings do.
        minutes = rolled(singles, MINUTE_S)
        readings = [[one.t for one in singles], numbers]
        _add_chunk(db, RAW, (series, hour, power), readings)
        _add_chunk(db, MINUTES, (series, hour, power), [list(column) for column in zip(*minutes, strict=True)])
        whole = rolled(minutes, HOUR_S)[0]
        db.execute(_ADD_HOUR, (series, hour, whole.readings, *scaled(whole[2:], power)))
    db.execute(f"DELETE FROM readings WHERE {where}", values)  # noqa: S608


def samples_of(rows: Iterable[tuple[float, str]]) -> dict[str, list[Sample]]:
    """The numbers among the figures of rounds, as series by key; what is true counts as 1, what is false as 0."""
    found: defaultdict[str, list[Sample]] = defaultdict(list)
    for t, figures in rows:
        for key, value in json.loads(figures).items():
            if isinstance(value, int | float) and math.isfinite(value):
                found[key].append((int(t), float(value)))
    return found


def _series_id(db: sqlite3.Connection, target: str, key: str) -> int:
    db.execute("INSERT OR IGNORE INTO series (target, key) VALUES (?, ?)", (target, key))
    (found,) = db.execute("SELECT id FROM series WHERE target = ? AND key = ?", (target, key)).fetchone()
    return int(found)


def _add_chunk(
    db: sqlite3.Connection, level: str, about: tuple[int, int, int], columns: Sequence[Sequence[Any]]
) -> None:
    db.execute(f"INSERT INTO {level} VALUES (?, ?, ?, ?)", (*about, pack(columns)))  # noqa: S608


def of_chunk(level: str, step_s: int, hour: int, power: int, data: bytes) -> Iterator[Rollup]:
    """What a chunk holds, in order of time: as it was kept, or in steps where an hour has a whole number of them."""
    times, *columns = unpack(data)
    if level == RAW:
        columns = [[1] * len(times), *([columns[0]] * 4)]
    if step_s <= (1 if level == RAW else MINUTE_S) or HOUR_S % step_s:
        counts, *sums = columns
        for t, count, *rest in zip(times, counts, *(scaled(column, power) for column in sums), strict=True):
            yield Rollup(hour + t, count, *rest)
        return
    counts, totals, lows, highs, lasts = columns
    begin = 0
    while begin < len(times):
        t = times[begin] // step_s * step_s
        end = bisect_left(times, t + step_s, begin)
        values = (sum(totals[begin:end]), min(lows[begin:end]), max(highs[begin:end]), lasts[end - 1])
        yield Rollup(hour + t, sum(counts[begin:end]), *scaled(values, power))
        begin = end


def _hour_of(t: float) -> int:
    return int(t // HOUR_S) * HOUR_S
