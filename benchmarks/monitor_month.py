"""A month of series in the file of a monitor: how large it is, how long a report and a backtest of all of it take.

Three targets are made reading by reading; the others of the fifteen are copies of their packed chunks, because making
forty million readings would take an hour and show nothing more.
"""

from __future__ import annotations

import math
import os
import random
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.retention import Retention
from dbz.monitor.replay.follow import replay
from dbz.monitor.replay.stored import of_store
from dbz.monitor.review.review import review
from dbz.monitor.store.retention import forget
from dbz.monitor.store.rollups import MINUTE_S
from dbz.monitor.store.series import append, seal
from dbz.monitor.store.store import MonitorStore
from dbz.report.html.monitor_page import render_review

DAYS = int(os.environ.get("BENCH_MONITOR_DAYS", "30"))
TARGETS, MADE, RULES = 15, 3, 20
INTERVAL_S, HOUR_S, DAY_S = 10, 3600, 86_400
MOST_BYTES, MOST_REPORT_S, MOST_BACKTEST_S = 200e6, 5.0, 10.0


class Service:
    """A service whose figures go with the time of day, in noise whose neighbours are alike."""

    def __init__(self, chance: random.Random) -> None:
        self._chance, self._noise = chance, dict[str, float]()

    def _about(self, key: str, level: float, spread: float) -> float:
        self._noise[key] = 0.6 * self._noise.get(key, 0.0) + 0.8 * self._chance.gauss(0, 1)
        return round(max(level + spread * self._noise[key], 0.0), 6)

    def row(self, t: int) -> dict[str, object]:
        """Twelve figures, and the time for which they stand."""
        day = 1 + 0.4 * math.sin(t / DAY_S * 2 * math.pi)
        return {
            "up": self._chance.random() > 0.0005,
            "health": "HTTP 200",
            "response time": self._about("mean", 120 * day, 12),
            "p95 response time": self._about("p95", 300 * day, 40),
            "peak response time": self._about("peak", 700 * day, 150),
            "error rate": self._about("errors", 0.001, 0.0005),
            "requests": self._about("requests", 80 * day, 6),
            "CPU": self._about("cpu", 0.3 * day, 0.04),
            "active connections": round(self._about("connections", 300 * day, 12)),
            "memory": self._about("memory", 0.4, 0.01),
            "memory_bytes": round(self._about("bytes", 8e8, 2e7)),
            "query time": self._about("query", 25 * day, 3),
            "probe time": self._about("probe", 2, 0.3),
        }


def fill(path: Path, end: int) -> None:
    """Make the file: packed hour by hour as a monitor does, with the default retention."""
    MonitorStore(path).__exit__()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        _fill(db, end)


def _fill(db: sqlite3.Connection, end: int) -> None:
    services = {f"api{at}": Service(random.Random(at)) for at in range(MADE)}
    for hour in range(end - DAYS * DAY_S, end, HOUR_S):
        db.execute("BEGIN")
        for t in range(hour, hour + HOUR_S, INTERVAL_S):
            append(db, t, {name: service.row(t) for name, service in services.items()}, INTERVAL_S)
        seal(db, hour + HOUR_S, most=MADE)
        if hour % DAY_S == 0:
            forget(db, Retention(), hour)
        db.execute("COMMIT")
    _copy(db)
    forget(db, Retention(), end)
    db.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")


def _copy(db: sqlite3.Connection) -> None:
    db.execute("BEGIN")
    for at in range(MADE, TARGETS):
        rows = db.execute("SELECT id, key FROM series WHERE target = ?", (f"api{at % MADE}",)).fetchall()
        for series, key in rows:
            db.execute("INSERT INTO series (target, key) VALUES (?, ?)", (f"api{at}", key))
            (copy,) = db.execute("SELECT last_insert_rowid()").fetchone()
            for table, columns in (("chunks_raw", "t, power, data"), ("chunks_minutes", "t, power, data"),
                                   ("hours", "t, count, total, low, high, last")):  # fmt: skip
                db.execute(f"INSERT INTO {table} SELECT ?, {columns} FROM {table} WHERE series = ?", (copy, series))
    db.execute("COMMIT")


def bytes_as_rows(path: Path) -> float:
    """Bytes a reading, where each is a row of (series, time, value) by itself."""
    service, count = Service(random.Random(0)), 0
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE points (series INTEGER, t INTEGER, value REAL, PRIMARY KEY (series, t)) WITHOUT ROWID")
        for t in range(0, DAY_S, INTERVAL_S):
            values = [value for value in service.row(t).values() if isinstance(value, int | float)]
            db.executemany("INSERT INTO points VALUES (?, ?, ?)", [(at, t, value) for at, value in enumerate(values)])
            count += len(values)
        db.commit()
        db.execute("VACUUM")
    return path.stat().st_size / count


def bytes_packed(path: Path) -> float:
    """Bytes a reading, packed."""
    with closing(sqlite3.connect(path)) as db:
        (size,) = db.execute("SELECT sum(length(data) + 16) FROM chunks_raw").fetchone()
        first, last, series = db.execute("SELECT min(t), max(t), count(DISTINCT series) FROM chunks_raw").fetchone()
    return float(size / ((last + HOUR_S - first) / INTERVAL_S * series))


def measure() -> bool:
    """Measure and print; whether the budgets hold."""
    end = int(time.time()) // HOUR_S * HOUR_S
    with tempfile.TemporaryDirectory(prefix="dbz-bench-") as folder:
        path = Path(folder) / "monitor.db"
        began_s = time.perf_counter()
        fill(path, end)
        print(
            f"\n{DAYS} days of {TARGETS} targets every {INTERVAL_S} s (made in {time.perf_counter() - began_s:.0f} s)"
        )
        size = path.stat().st_size
        packed, rows = bytes_packed(path), bytes_as_rows(Path(folder) / "rows.db")
        print(f"file: {size / 1e6:.0f} MB (at most {MOST_BYTES / 1e6:.0f}); a reading takes {packed:.2f} bytes packed, "
              f"{rows:.1f} as a row: {rows / packed:.0f} times as much")  # fmt: skip
        report_s, backtest_s = _report_s(path, end), _backtest_s(path, end)
        print(f"report of all of it, with its page: {report_s:.2f} s of CPU (at most {MOST_REPORT_S:g})")
        print(f"backtest of {RULES} rules by the minute: {backtest_s:.2f} s of CPU (at most {MOST_BACKTEST_S:g})")
    return size <= MOST_BYTES and report_s <= MOST_REPORT_S and backtest_s <= MOST_BACKTEST_S


def _backtest_s(path: Path, end: int) -> float:
    sentences = ("response time > {}ms", "p95 response time > {}ms", "peak response time > {}ms", "query time > {}ms",
                 "error rate > {}%", "CPU > {}%", "memory > {}%", "active connections > {}", "requests < {}/s",
                 "probe time > {}ms")  # fmt: skip
    config = MonitorFile.model_validate({
        "schema": "dbz.monitor/1",
        "targets": [{"name": "api0", "url": "http://127.0.0.1:1"}],
        "alerts": [
            {"type": f"RULE_{at}", "when": sentences[at % len(sentences)].format(10 + at) + f" for {1 + at} minutes"}
            for at in range(RULES)
        ],
    })  # fmt: skip
    began_s = time.process_time()
    with MonitorStore(path) as store:
        recording = of_store(store, config, end - DAYS * DAY_S, end, MINUTE_S)
    replay(config, [recording])
    return time.process_time() - began_s


def _report_s(path: Path, end: int) -> float:
    config = MonitorFile.model_validate({
        "schema": "dbz.monitor/1",
        "targets": [{"name": f"api{at}", "url": "http://127.0.0.1:1"} for at in range(TARGETS)],
        "alerts": [{"type": "SLOW", "when": "response time > 1000ms"}, {"type": "FULL", "when": "memory > 80%"}],
    })  # fmt: skip
    began_s = time.process_time()
    with MonitorStore(path) as store:
        found, series = review(store, config, end - DAYS * DAY_S, end)
    page = render_review(found, series, config)
    took_s = time.process_time() - began_s  # of one thread: what it takes where nobody else runs
    clear = sum(trend.is_clear for target in found.targets for trend in target.trends)
    changes = sum(len(target.changes) for target in found.targets)
    print(f"{len(found.targets)} targets, page of {len(page) / 1e6:.1f} MB; in noise alone {clear} trends of "
          f"{sum(len(target.trends) for target in found.targets)} and {changes} changes were told")  # fmt: skip
    return took_s
