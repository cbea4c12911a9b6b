"""Series are kept packed, and say the same as every reading did; what is too old or too much goes."""

from __future__ import annotations

import json
import math
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.monitor.retention import Retention
from dbz.monitor.store.columns import pack, unpack
from dbz.monitor.store.rollups import rolled, scaled, single, whole_numbers
from dbz.monitor.store.store import MonitorStore, Round
from tests.children.processes import ended

START_S = 1_790_000_000 // 3600 * 3600
DAY_S = 86_400


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., MonitorStore]]:
    stores = []

    def opened(**retention: float) -> MonitorStore:
        stores.append(MonitorStore(tmp_path / "m.db", Retention.model_construct(**retention)))
        return stores[-1]

    yield opened
    for store in stores:
        store.__exit__()


def fill(store: MonitorStore, hours: int, every_s: int = 10, seed: int = 1) -> list[tuple[int, float]]:
    """Rounds of so many hours; what they told as `response_ms`, which is missing now and then."""
    chance, told = random.Random(seed), []
    for t in range(START_S, START_S + hours * 3600, every_s):
        row: dict[str, object] = {"up": True, "health": "HTTP 200", "memory_bytes": 1e9 + t % 3600}
        if chance.random() < 0.9:
            row["response_ms"] = float(f"{chance.lognormvariate(3, 1):.6g}")
            told.append((t, float(str(row["response_ms"]))))
        store.keep(Round(t + 0.4, {"api": row}, period_s=every_s))
    return told


def sealed(store: MonitorStore, now_s: float) -> None:
    """Everything from before the running hour is packed."""
    for _ in range(1000):
        store.tidy(now_s)


@given(st.lists(st.lists(st.integers(-(2**61), 2**61), min_size=1), min_size=1))
def test_columns_come_back_as_they_were(columns: list[list[int]]) -> None:
    assert unpack(pack(columns)) == columns


@given(st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1))
def test_values_keep_six_digits(values: list[float]) -> None:
    """But for those that are nothing beside the largest of them."""
    power, numbers = whole_numbers(values)
    largest = max(map(abs, values))
    for value, back in zip(values, scaled(numbers, power), strict=True):
        assert math.isclose(value, back, rel_tol=5e-6, abs_tol=largest * 1e-14)


def test_every_level_says_exactly_what_the_readings_did(opened: Callable[..., MonitorStore]) -> None:
    store = opened()
    told = fill(store, hours=4)
    fresh = {step: store.series("api", START_S, START_S + 5 * 3600, step) for step in (1, 60, 600, 3600)}
    sealed(store, START_S + 3.5 * 3600)
    for step, before in fresh.items():
        after = store.series("api", START_S, START_S + 5 * 3600, step)
        assert after.keys() == before.keys() == {"up", "memory_bytes", "response_ms", "period_s"}
        for key in after:
            assert [one[:2] for one in after[key]] == [one[:2] for one in before[key]]
            for new, old in zip(after[key], before[key], strict=True):
                assert new[2:] == pytest.approx(old[2:], rel=5e-6 if key == "memory_bytes" else 1e-12)
    assert [(one.t, one.last) for one in store.series("api", 0, 2 * START_S)["response_ms"]] == told
    whole = rolled([single(one) for one in told], 3600)
    hours = store.series("api", START_S, START_S + 5 * 3600, 3600, ["response_ms"])
    assert list(hours) == ["response_ms"]
    for hour, expected in zip(hours["response_ms"], whole, strict=True):
        assert hour == pytest.approx(expected, rel=1e-12)
    assert store.texts("api") == {"health": "HTTP 200"} and store.targets() == ["api"]


def test_what_is_told_no_more_in_words_is_gone(opened: Callable[..., MonitorStore]) -> None:
    store = opened()
    store.keep(Round(5.0, {"api": {"trouble": "refused", "health": "x"}}))
    store.keep(Round(6.0, {"api": {"health": "HTTP 200", "lag": math.nan}}))
    assert store.texts("api") == {"health": "HTTP 200"} and store.series("api", 0, 9).keys() == {"period_s"}


def test_finer_levels_go_first_and_coarser_ones_take_their_place(opened: Callable[..., MonitorStore]) -> None:
    store = opened(raw=3600, minutes=2 * 3600, hours=DAY_S)
    told = fill(store, hours=4)
    now_s = START_S + 4 * 3600
    sealed(store, now_s)
    store.forget(now_s)
    steps = [one.t for one in store.series("api", START_S, now_s)["response_ms"]]
    by_hour = [sum(t // 3600 == (START_S // 3600) + hour for t in steps) for hour in range(4)]
    assert by_hour[:3] == [1, 1, 60] and by_hour[3] > 300
    assert sum(one.readings for one in store.series("api", START_S, now_s)["response_ms"]) == len(told)
    store.forget(now_s + DAY_S - 1.5 * 3600)
    assert [one.t for one in store.series("api", START_S, now_s)["up"]] == [START_S + 3 * 3600]
    store.forget(now_s + DAY_S)
    assert store.series("api", START_S, now_s) == {}


def test_a_file_that_is_too_large_loses_its_oldest_readings(opened: Callable[..., MonitorStore]) -> None:
    store = opened()
    chance = random.Random(3)
    for t in range(START_S, START_S + 30 * 3600, 30):
        store.keep(Round(float(t), {"api": {f"f{number}": chance.random() for number in range(20)}}))
    now_s = START_S + 30 * 3600.0
    sealed(store, now_s)
    small = opened(size=1_050_000)
    small.forget(now_s)
    assert 700_000 < small.path.stat().st_size <= 1_050_000
    kept = small.series("api", START_S, now_s)["f1"]
    assert sum(one.readings for one in kept) == 3600, "the coarser levels still tell of all of them"
    assert len(kept) < 3600 and kept[-1].readings == 1, "the newest readings are still there"


def test_a_file_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    rows = [("api", START_S + 10.0 * at, json.dumps({"up": True, "CPU": 0.5, "health": "HTTP 200"})) for at in range(9)]
    with closing(sqlite3.connect(tmp_path / "m.db")) as old:
        old.executescript(
            "CREATE TABLE readings (target TEXT NOT NULL, t REAL NOT NULL, figures TEXT NOT NULL);"
            "CREATE INDEX readings_t ON readings (t); PRAGMA user_version=1"
        )
        old.executemany("INSERT INTO readings VALUES (?, ?, ?)", rows)
        old.commit()
    with MonitorStore(tmp_path / "m.db") as store:
        for _ in range(2):
            assert [one.last for one in store.series("api", START_S, START_S + 3600)["CPU"]] == [0.5] * 9
            store.tidy(START_S + 7200)


_WRITER = """
import sys, time
from pathlib import Path
from dbz.monitor.store.store import MonitorStore, Round
with MonitorStore(Path(sys.argv[1])) as store:
    for t in range(%d, %d, 10):
        store.keep(Round(float(t), {"api": {"n": t %% 1000}}))
        print(t, flush=True)
        store.tidy(float(t))
"""


def test_a_kill_loses_no_round_that_was_kept(tmp_path: Path) -> None:
    path, source = tmp_path / "m.db", _WRITER % (START_S, START_S + 100 * 3600)
    with ended(
        subprocess.Popen([sys.executable, "-c", source, str(path)], stdout=subprocess.PIPE, text=True)
    ) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(1500)]
        writer.kill()
        told += map(int, writer.stdout.read().split())
    with MonitorStore(path) as store:
        kept = store.series("api", START_S, told[-1] + 1, keys=["n"])["n"]
    assert [one.t for one in kept] == told
    assert [one.last for one in kept] == [t % 1000 for t in told]
