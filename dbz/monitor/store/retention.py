"""Letting go of what is too old, or too much."""

from __future__ import annotations

import sqlite3

from dbz.config.monitor.retention import Retention
from dbz.monitor.store.series import MINUTES, RAW

_CHUNKS_AT_ONCE = 200


def forget(db: sqlite3.Connection, retention: Retention, now_s: float) -> None:
    """Remove series from before their time, and then the oldest of the finest while the file is too large.

    Within the caller's transaction; messages that still wait are never removed.
    """
    for table, age_s in ((RAW, retention.raw), (MINUTES, retention.minutes), ("hours", retention.hours)):
        # Series by series, by their index: a table has hundreds of megabytes to look through.
        old = "series IN (SELECT id FROM series) AND t < ?"
        db.execute(f"DELETE FROM {table} WHERE {old}", (now_s - age_s,))  # noqa: S608
    db.execute("DELETE FROM outbox WHERE sent_s < ?", (now_s - retention.messages,))
    db.execute("DELETE FROM firings WHERE end_s < ?", (now_s - retention.hours,))
    while used_bytes(db) > retention.size and _remove_oldest(db):
        pass


def used_bytes(db: sqlite3.Connection) -> int:
    """What the file holds, without pages that are free for what comes."""
    (pages,), (free,), (size,) = (
        db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _remove_oldest(db: sqlite3.Connection) -> bool:
    """Remove some of the oldest readings, else minutes, else hours; whether there was anything to remove."""
    for level in (RAW, MINUTES):
        oldest = f"SELECT rowid FROM {level} ORDER BY rowid LIMIT {_CHUNKS_AT_ONCE}"  # noqa: S608
        done = db.execute(f"DELETE FROM {level} WHERE rowid IN ({oldest})")  # noqa: S608
        if done.rowcount:
            return True
    done = db.execute(
        "DELETE FROM hours WHERE t <= (SELECT max(t) FROM (SELECT t FROM hours ORDER BY t LIMIT ?))", (_CHUNKS_AT_ONCE,)
    )
    return bool(done.rowcount)
