"""Silences in the monitor's file; whoever adds one there is heeded by the running monitor at its next round."""

from __future__ import annotations

import json

from dbz.config.monitor.matching import AlertMatcher
from dbz.errors import UsageError
from dbz.monitor.rules.silences import Silence
from dbz.monitor.store.store import MonitorStore

_SCHEMA = """
CREATE TABLE IF NOT EXISTS silences (id INTEGER PRIMARY KEY AUTOINCREMENT, matcher TEXT NOT NULL, from_s REAL NOT NULL,
    until_s REAL NOT NULL, why TEXT NOT NULL, by TEXT NOT NULL, removed_s REAL)
"""


class SilenceBook:
    """All silences of a monitor."""

    def __init__(self, store: MonitorStore) -> None:
        self._store = store
        with store.transaction() as db:
            db.execute(_SCHEMA)

    def add(self, matcher: AlertMatcher, from_s: float, until_s: float, why: str, by: str) -> Silence:
        """A new silence; times are in seconds since the epoch."""
        text = json.dumps(matcher.model_dump(exclude_defaults=True))
        with self._store.transaction() as db:
            row = db.execute(
                "INSERT INTO silences (matcher, from_s, until_s, why, by) VALUES (?, ?, ?, ?, ?)",
                (text, from_s, until_s, why, by),
            )
            assert row.lastrowid is not None, "a row was inserted"
            return Silence(row.lastrowid, matcher, from_s, until_s, why, by)

    def remove(self, id_: int, now_s: float) -> Silence:
        """End a silence now; `UsageError` when there is none with this number that has time left."""
        for silence in self.since(now_s):
            if silence.id == id_ and silence.removed_s is None:
                with self._store.transaction() as db:
                    db.execute("UPDATE silences SET removed_s = ? WHERE id = ?", (now_s, id_))
                return silence
        known = ", ".join(str(one.id) for one in self.since(now_s) if one.removed_s is None) or "none"
        raise UsageError(f"there is no silence {id_} that has time left (those that have: {known})", code="M004")

    def since(self, from_s: float) -> list[Silence]:
        """Those that had not ended at a moment, the oldest first; those to come too."""
        rows = self._store.rows(
            "SELECT id, matcher, from_s, until_s, why, by, removed_s FROM silences WHERE until_s > ? ORDER BY id",
            (from_s,),
        )
        return [Silence(id_, AlertMatcher.model_validate(json.loads(text)), *more) for id_, text, *more in rows]
