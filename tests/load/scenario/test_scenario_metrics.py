"""What a scenario measures and counts itself: in the record, the budgets, the reports, and compared with a baseline."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.errors import ExitCode
from dbz.load.generator.data.metrics import MOST_NAMES, MetricError, OwnMetrics
from dbz.measure.budget.counted import CounterTally
from dbz.measure.budget.measuring import Measurements, measure
from dbz.measure.budget.metrics import parse_selector
from dbz.measure.compare.terms import ComparisonTerms
from dbz.measure.latency.series import HTTP, MEASURE
from dbz.report.live.figures import LiveFigures
from dbz.report.live.prometheus import MetricsEndpoint
from dbz.report.terminal.run.live import plain_line
from dbz.report.words.comparison import comparison_remarks
from dbz.runs.compare.findings import compare_sides
from dbz.runs.compare.sides import Side
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import Record, read_record
from tests.cli.running import dbz, newest_run, small_server
from tests.load.recorders import recorder_in

amounts = st.one_of(st.integers(0, 10**12), st.floats(0, 1e6, allow_nan=False))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), amounts), max_size=40), st.randoms())
def test_whoever_counts_and_in_whatever_order_the_total_is_exact(
    counted: list[tuple[int, int, float]], random: st.DataObject
) -> None:
    forwards, shuffled = CounterTally(), CounterTally()
    mixed = list(counted)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    for tally, rows in ((forwards, counted), (shuffled, mixed)):
        for _worker, second, amount in rows:
            tally.add({"t": second + 1.0, "dt": 1.0, "counters": {"orders": [1, amount]}})
    exact = float(sum((Fraction(amount) for _, _, amount in counted), Fraction()))
    for tally in (forwards, shuffled):
        for one in tally.counted(0, 10).values():
            assert one.total == exact and one.calls == len(counted)
            assert math.fsum(one.by_second) == pytest.approx(exact)
            assert len(one.by_second) == 10


def test_a_rate_has_an_interval_and_a_counter_of_nothing_is_measured() -> None:
    tally = CounterTally()
    for second in range(20):
        tally.add({"t": second + 1.0, "counters": {"orders": [1, 4 + second % 3], "oversold": [1, 0]}})
    found = Measurements(seconds=20, counters=tally.counted(0, 20))
    rate = measure(parse_selector("counter{name=orders}"), "rate", found)
    assert rate and rate.low is not None and rate.high is not None
    assert rate.low < rate.value < rate.high and rate.value == pytest.approx(99 / 20) and rate.samples == 20
    none = measure(parse_selector("counter{name=oversold}"), "count", found)
    assert none and none.value == 0 and none.samples == 20
    assert measure(parse_selector("counter{name=missing}"), "count", found) is None
    assert found.names("counter") == ["orders", "oversold"]


def test_what_cannot_be_measured_or_counted_is_refused(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        refuse(OwnMetrics(recorder))


def refuse(own: OwnMetrics) -> None:
    for value in (-1, math.nan, math.inf, True, "1", None):
        with pytest.raises(MetricError, match="is no number from 0 on"):
            own.count("orders", value)  # type: ignore[arg-type]
    with pytest.raises(MetricError, match="a name is a text"):
        own.measure("", 1.0)
    for number in range(MOST_NAMES - 1):
        own.count(f"order {number}", 1)
    with pytest.raises(MetricError, match="leave ids out"):
        own.count("one more", 1)
    own.count("orders", 0)


SHOP = """\
import time
from dbz.users import HttpUser, constant, task

class Buyer(HttpUser):
    wait_time = constant(0.02)

    @task
    def buy(self):
        began_s = time.monotonic()
        for step in ("basket", "pay"):
            self.client.get("/" + step)
        self.measure("checkout", time.monotonic() - began_s)
        self.count("orders", 2)
        self.count("oversold", 0)
"""
BUDGETS = """\
schema: dbz.budgets/1
budgets:
  - {name: checkout, of: 'measure{name="checkout"}', stat: p50, limit: "< 5s"}
  - {name: never_oversold, of: 'counter{name="oversold"}', stat: count, limit: "< 1"}
  - {name: orders, of: 'counter{name="orders"}', stat: rate, limit: "> 100000/s"}
"""


def shown(folder: RunFolder) -> str:
    """What the live view and the Prometheus endpoint say of a record at its end."""
    record: Record = read_record(folder)
    figures = LiveFigures()
    figures.update(record)
    endpoint = MetricsEndpoint("127.0.0.1", 0, ())
    endpoint.update(record)
    samples = [f"{one.name}{one.labels} {one.value}" for family in endpoint.collect() for one in family.samples]
    return "\n".join([plain_line(figures, record.last_s, record.last_s), *samples])


def test_two_workers_count_exactly_and_every_report_tells_it(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    options = ["--users", "4", "--workers", "2", "--duration", "2s", "--warmup", "1s", "--no-live"]
    with small_server() as url:
        done = dbz("load", "shop.py", "--target", url, "--budgets", "budgets.yaml", *options, cwd=tmp_path)
    assert done.returncode == ExitCode.BROKEN, done.stderr
    run = newest_run(tmp_path)
    folder = RunFolder(tmp_path / "reports" / run["id"])
    verdicts = {one["name"]: one["verdict"] for one in run["budgets"]}
    assert verdicts == {"checkout": "pass", "never_oversold": "pass", "orders": "broken"}
    figures = {one["name"]: one for one in run["counters"]}
    assert figures["oversold"]["total"] == 0 and figures["oversold"]["calls"] > 10
    assert figures["orders"]["total"] == 2 * figures["orders"]["calls"]
    (checkout,) = [one for one in run["operations"] if one["kind"] == "measure"]
    assert checkout["name"] == "checkout" and checkout["errors"] == 0 and checkout["latency_ms"]["p95"] > 0

    record = read_record(folder)
    whole = CounterTally()
    for lines in record.workers.values():
        assert any(line.get("counters") for line in lines)  # both workers had users
        for line in lines:
            whole.add(line)
    measured = sum(len(one.histogram) for one in record.intervals if one.series.kind == MEASURE)
    requests = sum(len(one.histogram) for one in record.intervals if one.series.kind == HTTP)
    assert whole.counted(0, 1)["orders"].total == 2 * measured
    assert 0 <= requests - 2 * measured <= 4  # who was stopped between two requests
    for text in (done.stdout, *((folder.path / name).read_text() for name in ("summary.md", "report.html"))):
        assert "orders" in text and "checkout" in text and "Counters" in text
    comparison = compare_sides(Side([folder]), Side([folder]), ComparisonTerms())
    (compared,) = [one for one in comparison.counters if one.name == "orders"]
    assert compared.base_per_s == compared.new_per_s > 0 and compared.change == 0
    assert "checkout" in {one.operation for one in comparison.figures} and not comparison.vanished
    assert any(text.startswith("Counted: orders ") for text in comparison_remarks(comparison))

    live = shown(folder)
    total = int(whole.counted(0, 1)["orders"].total)
    assert f"orders {total:,}, " in live and "measure p95" in live
    assert f"dbz_counter_total{{'name': 'orders'}} {total}" in live
