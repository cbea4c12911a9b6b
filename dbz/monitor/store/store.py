"""What a monitor keeps on disk: series, where each alert is, and the messages that must reach somebody.

One SQLite file. What belongs to one round is one transaction, so that a monitor that is killed at any moment goes on
from a round that is whole: an alert that began has its messages, and none of them is there twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dbz.config.monitor.retention import Retention
from dbz.errors import DependencyError, UsageError
from dbz.monitor.rules.alerts import AlertStanding
from dbz.monitor.store.firings import SCHEMA as FIRINGS_SCHEMA
from dbz.monitor.store.firings import AlertFiring, firings_between, note_firings
from dbz.monitor.store.reading import Series, figures_of, read_series, targets_of
from dbz.monitor.store.retention import forget
from dbz.monitor.store.series import SCHEMA as SERIES_SCHEMA
from dbz.monitor.store.series import append, seal

_SCHEMA = """
CREATE TABLE IF NOT EXISTS standings (target TEXT NOT NULL, type TEXT NOT NULL, standing TEXT NOT NULL,
    PRIMARY KEY (target, type));
CREATE TABLE IF NOT EXISTS outbox (key TEXT PRIMARY KEY, channel TEXT NOT NULL, notice TEXT NOT NULL,
    created_s REAL NOT NULL, due_s REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, sent_s REAL,
    answer TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (due_s) WHERE sent_s IS NULL;
CREATE TABLE IF NOT EXISTS texts (target TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, since_s REAL NOT NULL,
    PRIMARY KEY (target, key));
"""
_VERSION = 2
"""Version 1 had no chunks, hours and texts; its readings are those of version 2, which seals them round by round."""


@dataclass(frozen=True)
class Notice:
    """What somebody is told."""

    type: str
    target: str
    severity: str
    event: str
    """`firing`, `resolved`, `still firing` or `test`."""
    text: str
    """All of it in a sentence."""
    value: float | None = None
    threshold: float | None = None
    since_s: float = 0.0
    """When the alert began, in seconds since the epoch."""
    message: str = ""
    runbook: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    group: str = ""
    """Notices of the same moment and group are one message; empty for one that stands alone."""


@dataclass(frozen=True)
class OutboxRow:
    """A notice on its way to one channel."""

    key: str
    """The same for every try: a receiver that knows it has had this notice."""
    channel: str
    notice: Notice
    created_s: float
    due_s: float
    """When it is tried next."""
    tries: int = 0
    sent_s: float | None = None
    """When the channel took it; None until then."""
    answer: str = ""
    """What the channel said to the last try."""


@dataclass
class Round:
    """What one round of watching leaves."""

    at_s: float
    """In seconds since the epoch."""
    readings: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By target a flat row: numbers and yes or no become series, of texts the newest is kept."""
    standings: dict[tuple[str, str], AlertStanding] = field(default_factory=dict)
    """By target and type of alert."""
    outbox: list[OutboxRow] = field(default_factory=list)
    period_s: float = 10.0
    """For how long its readings stand."""


class MonitorStore:
    """The file of one monitor; a context manager. `DependencyError` when the disk does not take it."""

    def __init__(self, path: Path, retention: Retention | None = None) -> None:
        self.path = path
        self._retention = retention or Retention()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _disk(path):
            if path.exists() and not path.is_file():
                raise UsageError(f"{path} is no file", hint="give the monitor's own file with --state", code="M007")
            self._db = sqlite3.connect(path, timeout=10, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        self.path.chmod(0o600)
        self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")  # of a new file only
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise UsageError(f"{self.path} is of a newer dbz (version {version} of the file)", code="E013")
        self._db.executescript(SERIES_SCHEMA + FIRINGS_SCHEMA + _SCHEMA)
        self._db.execute(f"PRAGMA user_version={_VERSION}")

    def __enter__(self) -> MonitorStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Be the only monitor that writes here; `UsageError` naming the other one."""
        lock = self.path.with_suffix(".lock")
        with lock.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.seek(0)
                other = file.read().strip()
                raise UsageError(
                    f"{self.path} belongs to a monitor that is running{f' (process {other})' if other else ''}",
                    hint="give this one another folder with --state",
                    code="M008",
                ) from error
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is written in the block, or nothing of it."""
        with _disk(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def keep(self, done: Round) -> None:
        """Write a round, all of it or nothing; messages that are there already stay as they are."""
        with self.transaction() as db:
            append(db, done.at_s, done.readings, done.period_s)
            for target, row in done.readings.items():
                _keep_texts(db, target, row, done.at_s)
            note_firings(db, done.standings)
            db.executemany(
                "INSERT OR REPLACE INTO standings VALUES (?, ?, ?)",
                [(*of, json.dumps(standing.to_row())) for of, standing in done.standings.items()],
            )
            db.executemany(
                "INSERT OR IGNORE INTO outbox (key, channel, notice, created_s, due_s) VALUES (?, ?, ?, ?, ?)",
                [
                    (row.key, row.channel, json.dumps(asdict(row.notice)), row.created_s, row.due_s)
                    for row in done.outbox
                ],
            )

    def tidy(self, now_s: float) -> None:
        """Pack some of what is older than the running hour; called once a round, so that no round takes long."""
        with self.transaction() as db:
            seal(db, now_s)

    def forget(self, now_s: float) -> None:
        """Remove what is kept no longer, and give the room back to the disk."""
        with self.transaction() as db:
            forget(db, self._retention, now_s)
        with _disk(self.path):
            # `execute` takes one step of a statement without rows, which gives one page back.
            self._db.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(PASSIVE)")

    def targets(self) -> list[str]:
        """Every target of which there are series."""
        with _disk(self.path):
            return targets_of(self._db)

    def figures(self) -> list[str]:
        """The key of every figure of which there are series, of whatever target."""
        with _disk(self.path):
            return figures_of(self._db)

    def series(
        self, target: str, begin_s: float, end_s: float, step_s: int = 1, keys: Iterable[str] | None = None
    ) -> Series:
        """Series of a target by key, in steps; those of `keys` only, where it is given."""
        with _disk(self.path):
            return read_series(self._db, target, begin_s, end_s, step_s, keys)

    def texts(self, target: str) -> dict[str, str]:
        """The newest of what a target tells in words."""
        return dict(self.rows("SELECT key, value FROM texts WHERE target = ?", (target,)))

    def firings(self, begin_s: float, end_s: float) -> list[AlertFiring]:
        """Every alert that was on at some moment between two times."""
        with _disk(self.path):
            return firings_between(self._db, begin_s, end_s)

    def standings(self) -> dict[tuple[str, str], AlertStanding]:
        """Where each alert is, by target and type."""
        rows = self.rows("SELECT target, type, standing FROM standings ORDER BY target, type")
        return {(target, type_): AlertStanding.from_row(json.loads(row)) for target, type_, row in rows}

    def due(self, now_s: float, most: int = 200) -> list[OutboxRow]:
        """Messages that are to be tried now, the oldest first; none of a channel that has an older one waiting."""
        waiting = "SELECT channel FROM outbox WHERE sent_s IS NULL AND due_s > ?"
        return self._outbox(
            f"WHERE sent_s IS NULL AND channel NOT IN ({waiting}) ORDER BY created_s, key LIMIT ?", (now_s, most)
        )

    def waiting(self) -> int:
        """How many messages have not been taken yet."""
        return int(self.rows("SELECT COUNT(*) FROM outbox WHERE sent_s IS NULL")[0][0])

    def history(self, most: int = 100) -> list[OutboxRow]:
        """The newest messages, the newest first."""
        return self._outbox("ORDER BY created_s DESC, key LIMIT ?", (most,))

    def note_sent(self, keys: Sequence[str], now_s: float, answer: str) -> None:
        """The channel took these messages."""
        with self.transaction() as db:
            db.executemany(
                "UPDATE outbox SET sent_s = ?, tries = tries + 1, answer = ? WHERE key = ?",
                [(now_s, answer, key) for key in keys],
            )

    def note_failed(self, keys: Sequence[str], again_s: float, answer: str) -> None:
        """The channel did not take them; they are tried again."""
        with self.transaction() as db:
            db.executemany(
                "UPDATE outbox SET due_s = ?, tries = tries + 1, answer = ? WHERE key = ?",
                [(again_s, answer, key) for key in keys],
            )

    def _outbox(self, rest: str, values: tuple[Any, ...]) -> list[OutboxRow]:
        rows = self.rows(  # `rest` is one of the texts above
            f"SELECT key, channel, notice, created_s, due_s, tries, sent_s, answer FROM outbox {rest}",  # noqa: S608
            values,
        )
        return [OutboxRow(key, channel, Notice(**json.loads(notice)), *more) for key, channel, notice, *more in rows]

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with _disk(self.path):
            return self._db.execute(query, values).fetchall()


def _keep_texts(db: sqlite3.Connection, target: str, row: Mapping[str, Any], now_s: float) -> None:
    texts = {key: value for key, value in row.items() if isinstance(value, str)}
    kept = dict(db.execute("SELECT key, value FROM texts WHERE target = ?", (target,)))
    changed = [(target, key, value, now_s) for key, value in texts.items() if kept.get(key) != value]
    db.executemany("INSERT OR REPLACE INTO texts VALUES (?, ?, ?, ?)", changed)
    db.executemany("DELETE FROM texts WHERE target = ? AND key = ?", [(target, key) for key in kept.keys() - texts])


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise DependencyError(f"{path} cannot be used: {error}", code="M009") from error
