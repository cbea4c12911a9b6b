"""When each alert was on: kept beside its standing, which knows only where it is now."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from dbz.monitor.rules.alerts import AlertStanding, AlertState

SCHEMA = """
CREATE TABLE IF NOT EXISTS firings (target TEXT NOT NULL, type TEXT NOT NULL, begin_s REAL NOT NULL, end_s REAL,
    value REAL, PRIMARY KEY (target, type, begin_s));
CREATE INDEX IF NOT EXISTS firings_on ON firings (target, type) WHERE end_s IS NULL;
"""


@dataclass(frozen=True)
class AlertFiring:
    """One time that an alert was on; times are in seconds since the epoch."""

    target: str
    type: str
    begin_s: float
    end_s: float | None
    """None while it is on."""
    value: float | None
    """When it began, in the unit of its rule."""


def note_firings(db: sqlite3.Connection, standings: Mapping[tuple[str, str], AlertStanding]) -> None:
    """Note which alerts begin and end with a round, within the caller's transaction."""
    on = {of: standing for of, standing in standings.items() if standing.state is AlertState.FIRING}
    db.executemany(
        "INSERT OR IGNORE INTO firings (target, type, begin_s, value) VALUES (?, ?, ?, ?)",
        [(*of, standing.since_s, standing.value) for of, standing in on.items()],
    )
    for target, type_ in db.execute("SELECT target, type FROM firings WHERE end_s IS NULL").fetchall():
        standing = standings.get((target, type_))
        if standing is not None and standing.state is not AlertState.FIRING:
            db.execute(
                "UPDATE firings SET end_s = ? WHERE target = ? AND type = ? AND end_s IS NULL",
                (standing.since_s, target, type_),
            )


def firings_between(db: sqlite3.Connection, begin_s: float, end_s: float) -> list[AlertFiring]:
    """Every alert that was on at some moment between two times, in the order in which they began."""
    rows = db.execute(
        "SELECT target, type, begin_s, end_s, value FROM firings WHERE begin_s < ? AND (end_s IS NULL OR end_s >= ?) "
        "ORDER BY begin_s, target, type",
        (end_s, begin_s),
    )
    return [AlertFiring(*row) for row in rows]
