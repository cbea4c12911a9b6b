"""Reading series back: each stretch of time as finely as is asked for, or as it is still kept."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable

from dbz.monitor.store.rollups import HOUR_S, MINUTE_S, Rollup, rolled, single
from dbz.monitor.store.series import MINUTES, RAW, of_chunk, samples_of

Series = dict[str, list[Rollup]]
"""Roll-ups by key, in order of time."""


def targets_of(db: sqlite3.Connection) -> list[str]:
    """Every target of which something is kept."""
    rows = db.execute("SELECT target FROM series UNION SELECT target FROM readings ORDER BY target").fetchall()
    return [target for (target,) in rows]


def figures_of(db: sqlite3.Connection) -> list[str]:
    """The key of every figure of which something is kept, of whatever target."""
    sealed = {key for (key,) in db.execute("SELECT DISTINCT key FROM series")}
    newest = db.execute("SELECT DISTINCT entry.key FROM readings, json_each(readings.figures) AS entry").fetchall()
    return sorted(sealed.union(key for (key,) in newest))


def read_series(
    db: sqlite3.Connection,
    target: str,
    begin_s: float,
    end_s: float,
    step_s: int = 1,
    keys: Iterable[str] | None = None,
) -> Series:
    """What a target told between two times, in steps of so many seconds; steps are whole multiples of it.

    Where readings are not kept any more, minutes take their place, and then hours: a step is never shorter than those.
    The whole of it is one view of the file, whatever a monitor writes meanwhile.
    """
    begin, end = int(begin_s // max(step_s, 1)) * step_s, int(end_s)
    wanted = None if keys is None else set(keys)
    db.execute("BEGIN")
    try:
        ids = db.execute("SELECT key, id FROM series WHERE target = ?", (target,)).fetchall()
        found = {key: _sealed(db, series, begin, end, step_s) for key, series in ids if wanted is None or key in wanted}
        rows = db.execute(
            "SELECT t, figures FROM readings WHERE t >= ? AND t < ? AND target = ? ORDER BY t", (begin, end, target)
        ).fetchall()
    finally:
        db.execute("COMMIT")
    for key, samples in samples_of(rows).items():
        if wanted is None or key in wanted:
            newest = [single(sample) for sample in samples]
            found[key] = list(heapq.merge(found.get(key, []), newest)) if found.get(key) else newest
    return {key: rolled(rollups, step_s) if step_s > 1 else rollups for key, rollups in found.items() if rollups}


def _sealed(db: sqlite3.Connection, series: int, begin: int, end: int, step_s: int) -> list[Rollup]:
    """Chunks of the level that the step asks for, and coarser ones from before that level begins."""
    if step_s >= HOUR_S:
        return _hours(db, series, begin, end)
    minutes_from = _begin_of(db, series, MINUTES, end)
    raw_from = _begin_of(db, series, RAW, end) if step_s < MINUTE_S else end
    found = _hours(db, series, begin, min(minutes_from, raw_from))
    found += _chunks(db, series, MINUTES, step_s, begin, raw_from)
    found += _chunks(db, series, RAW, step_s, max(begin, raw_from), end)
    return found


def _begin_of(db: sqlite3.Connection, series: int, level: str, end: int) -> int:
    (t,) = db.execute(f"SELECT min(t) FROM {level} WHERE series = ?", (series,)).fetchone()  # noqa: S608
    return end if t is None else min(t, end)


def _chunks(db: sqlite3.Connection, series: int, level: str, step_s: int, begin: int, end: int) -> list[Rollup]:
    if begin >= end:
        return []
    query = f"SELECT t, power, data FROM {level} WHERE series = ? AND t > ? AND t < ? ORDER BY t, rowid"  # noqa: S608
    rows = db.execute(query, (series, begin - HOUR_S, end))
    # An hour that was sealed twice, because the machine's clock was set back, has two chunks.
    return sorted(one for row in rows for one in of_chunk(level, step_s, *row) if begin <= one.t < end)


def _hours(db: sqlite3.Connection, series: int, begin: int, end: int) -> list[Rollup]:
    if begin >= end:
        return []
    query = "SELECT t, count, total, low, high, last FROM hours WHERE series = ? AND t > ? AND t < ? ORDER BY t"
    return [Rollup(*row) for row in db.execute(query, (series, begin - HOUR_S, end))]
