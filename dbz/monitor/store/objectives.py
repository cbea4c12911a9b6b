"""What objectives have counted, by the minute, in the monitor's file: windows of days outlive a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from dbz.config.monitor.objectives import LONGEST_WINDOW_S
from dbz.monitor.rules.burn import MINUTE_S
from dbz.monitor.rules.objectives import ObjectiveMinute
from dbz.monitor.store.store import MonitorStore

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objective_minutes (objective TEXT NOT NULL, target TEXT NOT NULL, minute INTEGER NOT NULL,
    bad REAL NOT NULL, total REAL NOT NULL, PRIMARY KEY (objective, target, minute)) WITHOUT ROWID
"""


class ObjectiveBook:
    """Counts of all objectives of a monitor."""

    def __init__(self, store: MonitorStore) -> None:
        self._store = store
        with store.transaction() as db:
            db.execute(_SCHEMA)

    def load(self) -> list[ObjectiveMinute]:
        """Everything that is kept, the oldest minute first."""
        rows = self._store.rows("SELECT objective, target, minute, bad, total FROM objective_minutes ORDER BY minute")
        return [ObjectiveMinute(*row) for row in rows]

    def keep(self, minutes: Sequence[ObjectiveMinute]) -> None:
        """Write minutes, instead of what was there of the same ones."""
        if minutes:
            with self._store.transaction() as db:
                db.executemany(
                    "INSERT OR REPLACE INTO objective_minutes VALUES (?, ?, ?, ?, ?)", [astuple(one) for one in minutes]
                )

    def forget(self, now_s: float) -> None:
        """Remove what is older than any window."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM objective_minutes WHERE minute < ?", ((now_s - LONGEST_WINDOW_S) // MINUTE_S,))
