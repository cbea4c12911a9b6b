"""Any file at all: one clear error or figures that are numbers, never a traceback, never a number that is not there."""

from __future__ import annotations

import copy
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbz.config.budgets import load_budgets
from dbz.errors import UsageError
from dbz.measure.budget.metrics import CATALOGUE
from dbz.report import print_imported, write_verdicts
from dbz.runs.imports.judging import judge_files
from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import FILES, found_in, value_of, written
from tests.whole import WHOLE

REAL = sorted(path for path in FILES.iterdir() if path.suffix == ".json")
ODD: list[Any] = [
    None, True, -1, 1e308, -0.5, 10**400, math.inf, math.nan, "", "NaN", "12", "\ud800", "a\x00b", "\x1b[31m",
    [], {}, [[]], {"": None}, {"\udfff": 1}, [1, "2"], 2**63, 2**65, 0, 1e-320,
]  # fmt: skip
DAMAGED = (
    "locust_stats.csv", "locust.json", "oha.json", "hey.txt", "hey.csv", "wrk.txt", "gatling_simulation.log",
    "ab.txt", "h2load.txt", "h2load.log", "siege.txt",
)  # fmt: skip
STATS = ("mean", "max", "p50", "p95", "p99.9", "error_rate", "count", "rate", "min", "apdex(1s)")


def mutated(data: Any, seed: int) -> Any:
    """A result file with something odd at a place or three, keys included."""
    changed, chance = copy.deepcopy(data), random.Random(seed)
    for _ in range(chance.randint(1, 3)):
        node = changed
        for _ in range(chance.randint(0, 7)):
            if not isinstance(node, dict | list) or not node:
                break
            key = chance.choice(list(node)) if isinstance(node, dict) else chance.randrange(len(node))
            what = chance.random()
            if what < 0.15:
                node[key] = chance.choice(ODD)
            elif what < 0.2 and isinstance(node, dict):
                node[chance.choice(["\ud800", "http_reqs{", "p(1e9)", "", "a" * 300, "p(101)"])] = node.pop(key)
            elif what < 0.22:
                del node[key]
            else:
                node = node[key]
    return changed


def judged_and_written(path: Path, folder: Path) -> None:
    """All that `dbz budget check` does with a file; a `UsageError` that names it is as good as a verdict."""
    try:
        run, notes = judge_files([path], load_budgets("default"))
    except UsageError as error:
        assert path.name in error.message and "\n" not in error.message  # noqa: PT017
        error.message.encode()
        return
    write_verdicts(run, folder / "out")
    with (folder / "terminal").open("w", encoding="utf-8") as terminal:
        print_imported(run, notes, None, terminal)
    json.loads(run.to_json())


@pytest.mark.parametrize("real", REAL, ids=lambda path: path.name)
@settings(max_examples=30 if WHOLE else 12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 10**9))
def test_no_change_to_a_real_file_is_a_traceback(tmp_path: Path, real: Path, seed: int) -> None:
    data = mutated(json.loads(real.read_text()), seed)
    judged_and_written(written(tmp_path, json.dumps(data)), tmp_path)


@settings(max_examples=100 if WHOLE else 40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400), st.integers(0, 2000), st.sampled_from(DAMAGED))
def test_no_damage_to_the_bytes_of_a_file_is_a_traceback(tmp_path: Path, junk: bytes, at: int, name: str) -> None:
    raw = (FILES / name).read_bytes()
    judged_and_written(written(tmp_path, raw[:at] + junk + raw[at + len(junk) :], f"damaged-{name}"), tmp_path)


@pytest.mark.parametrize("real", REAL, ids=lambda path: path.name)
def test_no_number_is_made_up_where_a_file_has_none(tmp_path: Path, real: Path) -> None:
    def emptied(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: emptied(value) for key, value in node.items()}
        if isinstance(node, list):
            return [emptied(value) for value in node]
        return None if isinstance(node, int | float) and not isinstance(node, bool) else node

    path = written(tmp_path, emptied(json.loads(real.read_text())))
    try:
        found = found_in(path)
    except UsageError:
        return
    assert not found.latencies and not found.summaries.by_series and not any(found.gauges.values())
    assert not any(values for parts in found.parts.values() for values in parts.values())


@pytest.mark.parametrize("real", REAL, ids=lambda path: path.name)
def test_every_figure_of_a_real_file_is_a_number(real: Path) -> None:
    figures = [value_of(real, name, stat) for name in CATALOGUE for stat in STATS if stat in _stats(name)]
    assert any(value is not None for value in figures)
    assert not any(math.isnan(value) or value < 0 for value in figures if value is not None)


def _stats(name: str) -> set[str]:
    allowed = CATALOGUE[name].stats
    more = {"p50", "p95", "p99.9"} if any("…" in stat for stat in allowed) else set()
    return set(allowed) | more | ({"apdex(1s)"} if any("apdex" in stat for stat in allowed) else set())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-32"])
def test_a_byte_order_mark_says_how_to_read_a_file(tmp_path: Path, encoding: str) -> None:
    for name in ("oha.json", "locust_stats.csv"):
        text = (FILES / name).read_text()
        raw = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
        assert value_of(written(tmp_path, raw, name), "http", "count") == value_of(FILES / name, "http", "count")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"[" * 200_000 + b"]" * 200_000, "is nested more than"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is nested more than"),
        (b'{"latencies": {"mean": ' + b"9" * 5000 + b'}, "status_codes": {}}', "neither JSON"),
        (b'{"latencies": {"mean": 1}, "status_codes": {}, "requests": ' + b"9" * 400 + b"}", "many digits"),
        (b'{"k\xe9y": 1}', "it is not UTF-8 text"),
        (b"\xff\xfe{\x00\x00", "it is not UTF-16"),
        (b"\x00" * 100, "neither JSON"),
        (b"", "neither JSON"),
    ],
)
def test_what_is_no_result_is_one_clear_error(tmp_path: Path, raw: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_file(written(tmp_path, raw))


@pytest.mark.parametrize("value", ["1e999", "Infinity", "NaN", "-5", "1e300", '"7"', "true", "[]"])
def test_a_count_out_of_range_is_named(tmp_path: Path, value: str) -> None:
    text = json.dumps({"metrics": {"http_reqs": {"count": "N", "rate": 1}}, "root_group": {}})
    path = written(tmp_path, text.replace('"N"', value))
    with pytest.raises(UsageError, match=r"result\.json: 'count' should be a"):
        read_file(path)
