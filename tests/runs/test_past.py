"""The older part of a record, put together: every figure of the whole run is what it was, whoever is killed when."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.load.generator.record.sinks import FileSink
from dbz.measure.budget.budgets import Budget, parse_budget
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import DELIVERY, GENERATOR, HTTP, RUNNING, UNFINISHED, Series
from dbz.measure.latency.tags import NO_TAGS, Tags
from dbz.report.html.details import detail_data
from dbz.report.live.figures import LiveFigures
from dbz.runs import aggregate
from dbz.runs.conclude import conclude
from dbz.runs.past.digest import read_measured, write_digest
from dbz.runs.past.keeper import PastKeeper
from dbz.runs.past.merging import Merger, Stretch
from dbz.runs.past.spans import LEVELS_S, Spans, SpanTerms, block_length_s, span_length_s, span_terms
from dbz.runs.past.store import read_past
from dbz.runs.schema import Run, Window
from dbz.runs.storage.folder import RunFolder, create_run_folder
from dbz.runs.storage.reading import Record, RecordReader, read_record
from dbz.runs.storage.record import END, STEADY, LineFile
from dbz.runs.timeline import timeline
from dbz.runs.validity import coverage
from tests.whole import WHOLE

STATS = {
    **dict.fromkeys(("p50", "p95", "p99.9", "mean", "max"), "< 20ms"),
    "count": ">= 100",
    "rate": ">= 0.01/s",
    "apdex(20ms)": ">= 0.8",
}
BUDGETS: list[Budget] = [
    *(parse_budget(f"of_get_{at}", 'http{op="GET /"}', stat, limit) for at, (stat, limit) in enumerate(STATS.items())),
    parse_budget("of_all", "http", "p95", "< 30ms"),
    parse_budget("of_3g", 'http{network="3g"}', "p95", "< 30ms"),
    parse_budget("errors", "errors", "error_rate", "< 1%"),
    parse_budget("lost", "delivery.lost", "error_rate", "< 1%"),
    parse_budget("users", "users.held", "min", ">= 1"),
    parse_budget("bought", "counter", "rate", ">= 0.01/s"),
    parse_budget("up", "uptime", "rate", ">= 99%"),
]
SERIES = (Series(HTTP, "GET /"), Series(HTTP, "POST /"), Series(DELIVERY, "chat"), Series(GENERATOR, "lag"))
WORKERS = 2
Second = tuple[list[Interval], dict[str, Any]]


def second_of(random: Random, start_s: float, length_s: float) -> Second:
    """What a worker may write of a second: sometimes nobody is answered, sometimes attempts fail."""
    silent = random.random() < 0.05
    intervals = []
    for series in SERIES:
        for tags in (NO_TAGS, Tags("3g")) if series.kind == HTTP else (NO_TAGS,):
            if silent and series.kind != GENERATOR:
                continue
            for of in (series, series.as_failed()) if random.random() < 0.2 and series.kind == HTTP else (series,):
                found = Histogram()
                for _ in range(random.randrange(1, 4)):
                    found.record(round(15_000 * random.lognormvariate(0, 0.7)))
                intervals.append(Interval(of, start_s, length_s, found, tags))
    if silent or random.random() < 0.1:
        age = Histogram()
        age.record(random.choice((1_100_000, 4_000_000)))
        intervals.append(Interval(Series(RUNNING, "GET /"), start_s, length_s, age))
    line = {
        "t": round(start_s + length_s, 3),
        "dt": round(length_s, 3),
        "users": random.randrange(1, 9),
        "running": random.randrange(3),
        "cpu_percent": random.choice((10.0, 30.5)),
        "errors": [[HTTP, random.choice(("GET /", "POST /")), "HTTP 503", 2]] if random.random() < 0.3 else [],
        "deliveries": {"chat": [1, 5, 4, random.randrange(2), 0, 0]},
        "answers": {"GET /": [2, 0.25, 0.5, 2_100, 1, 0.125, 0.0625]},
        "counters": {"bought": [1, random.choice((1.0, 2.5))]},
    }
    return intervals, line


def seconds_of(random: Random, steady_s: float, until_s: float, busy: Callable[[int], bool]) -> list[Second]:
    """The seconds of a worker that writes those that are `busy`, now and then late, and at the moment of a mark."""
    found, start_s = [], 0.0
    while start_s < until_s:
        end_s = float(int(start_s) + random.choice((1, 1, 1, 1, 1, 1, 1, 3)))
        if start_s < steady_s < end_s:
            end_s = steady_s
        end_s = min(end_s, until_s)
        if busy(int(start_s)):
            found.append(second_of(random, start_s, end_s - start_s))
        start_s = end_s
    return found


def end_of(until_s: float) -> Second:
    """What is written when the judged part is over: requests that the end cut off."""
    cut = Interval(Series(UNFINISHED, "GET /", failed=True), until_s, 0.2, Histogram({1500: 2}))
    return [cut], {"t": until_s + 0.2, "dt": 0.2, "users": 0, "cpu_percent": 1.0, "errors": []}


def record_of(seed: int, steady_s: float, until_s: float, busy: Callable[[int], bool]) -> Record:
    record = Record(marks={STEADY: steady_s, END: until_s})
    random = Random(seed)
    for worker in range(WORKERS):
        lines = record.workers.setdefault(f"worker-{worker}", [])
        for intervals, line in [*seconds_of(random, steady_s, until_s, busy), end_of(until_s)]:
            record.intervals += intervals
            lines.append(line)
    record.server = [
        {"t": second + 0.05, "health": 200, "up": random.random() < 0.99} for second in range(int(until_s))
    ]
    return record


def merged(record: Record, spans: Spans, older_than_s: float) -> Record:
    """The record whose part before a moment was put together, in two steps of which the second is the coarser one."""
    stretch = Stretch()
    for level in (level for level in LEVELS_S if spans.length_s % level == 0):
        merger = Merger(replace(spans, length_s=level))
        if level == 1:
            for interval in record.intervals:
                if interval.start_s + interval.length_s <= older_than_s:
                    merger.add_interval(interval)
            for worker, lines in record.workers.items():
                for line in lines:
                    if line["t"] <= older_than_s:
                        merger.add_line(worker, line)
        for _ in merger.add_stretch(stretch):
            pass
        stretch = [step for step in merger.result() if step][-1]
    recent = [one for one in record.intervals if one.start_s + one.length_s > older_than_s]
    lines = {
        worker: [*stretch.lines.get(worker, ()), *(line for line in every if line["t"] > older_than_s)]
        for worker, every in record.workers.items()
    }
    return replace(
        record,
        intervals=[*stretch.intervals, *recent],
        workers=lines,
        answered=stretch.answered,
        span_s=spans.length_s,
    )


def run_of(window: Window) -> Run:
    return Run(
        id="1",
        started="2026-11-23T06:54:50+00:00",
        profile={"users": 8},
        target="http://127.0.0.1",
        seed=1,
        window=window,
    )


def assert_alike(one: Record, other: Record, budgets: list[Budget]) -> None:
    """Every figure of the whole run is the same; sums of floating numbers, to their rounding."""
    window = one.window
    assert other.window == window
    before, after = (conclude(run_of(window), record, budgets) for record in (one, other))
    assert [budget.value for budget in before.budgets if budget.name == "of_get_0"] != [None]
    assert after.model_dump() == before.model_dump()
    left, right = (aggregate.measurements(record, window) for record in (one, other))
    assert _without_running(right.latencies) == _without_running(left.latencies)
    assert [_without_running(block) for block in right.blocks] == [_without_running(block) for block in left.blocks]
    assert right.waiting == left.waiting and right.probes == left.probes
    assert coverage.silent_seconds(other, window) == coverage.silent_seconds(one, window)
    assert coverage.worker_gaps(other, window) == coverage.worker_gaps(one, window)
    # Charts leave out what is shorter than a second, and nothing that is longer.
    attempts = [sum(chart.rate) * chart.step_s for chart in map(timeline, (one, other))]
    assert attempts[0] == pytest.approx(attempts[1], rel=0.01)
    curves = [[item["curve"] for item in detail_data(before, record)["items"]] for record in (one, other)]
    assert curves[0] == curves[1]


def _without_running(latencies: Any) -> dict[Series, Any]:
    return {of: latency for of, latency in latencies.items() if of.kind != RUNNING}


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    steady_s=st.sampled_from([0.0, 5.0, 12.345]),
    judged_s=st.sampled_from([1_003.0, 2_500.0, 7_207.25, *([28_790.0] if WHOLE else [])]),
    older=st.floats(0.2, 1.0),
    after_s=st.sampled_from([0.0, 60.0, 600.0]),
    cut_s=st.sampled_from([None, 100.0, 777.0]),
)
def test_a_merged_record_says_the_same_of_the_whole_run(
    seed: int, steady_s: float, judged_s: float, older: float, after_s: float, cut_s: float | None
) -> None:
    chosen = Random(seed + 1)
    busy = {chosen.randrange(int(steady_s + judged_s)) for _ in range(250)}
    record = record_of(seed, steady_s, steady_s + judged_s, busy.__contains__)
    budgets = [*BUDGETS, *([replace(BUDGETS[1], name="later", after_s=after_s)] if after_s else [])]
    terms = span_terms(budgets, [cut_s, judged_s] if cut_s else ())
    spans = Spans(steady_s, terms.length_s(older * judged_s), terms.cuts_s)
    assert_alike(record, merged(record, spans, steady_s + older * judged_s), budgets)


def test_budgets_with_windows_have_the_spans_that_their_intervals_need() -> None:
    judged_s, steady_s = 7_000.0, 3.0
    busy = {Random(5).randrange(700) * 10 + off for off in range(10) for _ in range(30)}
    record = record_of(5, steady_s, steady_s + judged_s, busy.__contains__)
    for text, length_s in (("20m", 20), ("10m", 10), ("1m", 1)):
        budgets = [*BUDGETS, parse_budget("each", "http", "p95", "< 30ms", window=f"{text} in 90%")]
        spans = Spans(steady_s, span_terms(budgets).length_s(judged_s))
        assert spans.length_s == length_s
        assert_alike(record, merged(record, spans, 6_500.0), budgets)


@given(st.floats(1, 200_000), st.floats(0, 1))
def test_blocks_of_a_window_are_made_of_the_spans_that_it_had_at_any_time(seconds: float, share: float) -> None:
    block_s = block_length_s(seconds)
    assert block_s % span_length_s(seconds * share) == 0
    assert seconds / 60 <= block_s < max(2 * seconds / 60, 1) + 1
    assert span_length_s(seconds * share) <= max(seconds / 100, 1)


def test_a_short_run_is_cut_into_the_blocks_that_it_always_was() -> None:
    assert [block_length_s(seconds) for seconds in (5, 60, 61, 600, 999)] == [1, 1, 2, 10, 17]


# On disk: written by the sink of a worker, put together beside it.

JUDGED_S, STEADY_S = 1_330.0, 12.345


def write_run(folder: RunFolder, keeper: PastKeeper | None = None, every_s: int = 1) -> None:
    """A run of two workers; what it writes is put together while it goes on, if somebody does that."""
    random, until_s = Random(3), JUDGED_S
    marks = LineFile(folder.marks)
    marks.write({"mark": STEADY, "t": STEADY_S})
    reader = RecordReader(folder, keep_s=100.0)
    workers = [
        seconds_of(random, STEADY_S, STEADY_S + until_s, lambda second: second % every_s == 0) for _ in range(WORKERS)
    ]
    sinks = [FileSink(folder.path, worker, 1_700_000_000.0) for worker in range(WORKERS)]
    rows = sorted(
        ((s[1]["t"], worker, s) for worker, every in enumerate(workers) for s in every), key=lambda row: row[:2]
    )
    for at, (_, worker, (intervals, line)) in enumerate(rows):
        sinks[worker].write(intervals, line)
        if keeper and at % 150 == 0:
            keeper.finish(reader.poll())
    marks.write({"mark": END, "t": STEADY_S + until_s})
    for sink in sinks:
        sink.write(*end_of(STEADY_S + until_s))
        sink.close()
    marks.close()
    if keeper:
        keeper.finish(reader.poll())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = create_run_folder(tmp_path_factory.mktemp("plain"), "run")
    write_run(folder)
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = create_run_folder(tmp_path_factory.mktemp("kept"), "run")
    write_run(folder, PastKeeper(folder, 1_700_000_000.0, SpanTerms()))
    return folder


def test_a_run_that_is_put_together_while_it_goes_on_is_the_same_run(kept: RunFolder, plain: RunFolder) -> None:
    folder, past, record = kept, read_past(kept.path), read_record(kept)
    assert past.span_s == record.span_s == 10 and min(past.covers.values()) > 5
    whole = read_record(plain)
    assert len(record.intervals) < len(whole.intervals) / 4
    assert_alike(whole, record, BUDGETS)
    assert len(list(folder.path.glob("worker-*"))) < len(list(plain.path.glob("worker-*"))) / 3
    assert {path.name.split(".")[0] for path in folder.path.glob("past-*")} == {"past-000", "past-001"}


KEEP = """
import os, signal, sys
from pathlib import Path
from dbz.runs.storage.folder import RunFolder
from dbz.runs.past.keeper import PastKeeper
from dbz.runs.past.spans import SpanTerms
from dbz.runs.storage.reading import RecordReader

folder, left = RunFolder(Path(sys.argv[1])), int(sys.argv[2])
record = RecordReader(folder).poll()
def watch(event, arguments):
    global left
    if event in ("open", "os.rename", "os.remove") and "past" in str(arguments) + event or event == "os.remove":
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
PastKeeper(folder, 1_700_000_000.0, SpanTerms()).finish(record)
"""


def counts_of(record: Record) -> dict[Series, int]:
    counts: dict[Series, int] = {}
    for interval in record.intervals:
        if interval.series.kind != RUNNING:
            counts[interval.series] = counts.get(interval.series, 0) + len(interval.histogram)
    return counts


def test_nothing_is_lost_or_counted_twice_wherever_the_keeper_is_killed(tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path, "run")
    write_run(folder, every_s=20)
    expected = counts_of(read_record(folder))
    lines = {worker: [line["t"] for line in every] for worker, every in read_record(folder).workers.items()}
    killed = 0
    # Each time a little later, in whatever the one before left behind.
    for operations in (0, 1, 2, 3, 4, 6, 9, 14, 20, 10_000):
        child = subprocess.run([sys.executable, "-c", KEEP, str(folder.path), str(operations)], check=False)
        killed += child.returncode == -9
        record = read_record(folder)
        assert counts_of(record) == expected
        assert {worker: [line["t"] for line in every] for worker, every in record.workers.items()} == lines
    assert killed >= 5 and child.returncode == 0
    assert read_past(folder.path).span_s == 10


WRITE = """
import os, signal, sys
from pathlib import Path
from dbz.load.generator.record.sinks import FileSink
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import Series

sink = FileSink(Path(sys.argv[1]), 0, 1_700_000_000.0)
left = int(sys.argv[2])
def watch(event, arguments):
    global left
    if event == "open":
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
for second in range(590, 800):
    print(second, flush=True)
    sink.write([Interval(Series("http", "GET /"), float(second), 1.0, Histogram({7: 1}))], {"t": second + 1.0})
"""


@pytest.mark.parametrize("opened", [0, 1, 2, 3, 4])
def test_a_writer_that_is_killed_between_segments_loses_the_second_that_it_was_about_to_write(
    tmp_path: Path, opened: int
) -> None:
    folder = create_run_folder(tmp_path, "run")
    child = subprocess.run(
        [sys.executable, "-c", WRITE, str(folder.path), str(opened)], check=False, stdout=subprocess.PIPE
    )
    assert child.returncode == -9
    begun = int(child.stdout.split()[-1])
    record = read_record(folder)
    assert [line["t"] for line in record.workers["worker-0"]] == [second + 1.0 for second in range(590, begun)]
    assert [one.start_s for one in record.intervals] == [float(second) for second in range(590, begun)]
    assert record.damaged_lines == 0


def test_a_damaged_past_is_told_and_the_rest_is_read(tmp_path: Path, kept: RunFolder) -> None:
    folder = RunFolder(Path(shutil.copytree(kept.path, tmp_path / "run")))
    part = read_past(folder.path).parts[0]
    path = folder.path / f"{part.name}.hlog"
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    (folder.path / f"{part.name}.jsonl.gz").write_bytes(b"no gzip")
    record = read_record(folder)
    assert record.damaged_lines >= 2 and record.intervals
    path.unlink()
    assert read_record(folder).damaged_lines == 1 and read_record(folder).intervals


def test_a_digest_measures_what_the_record_does_as_long_as_it_is_of_it(tmp_path: Path, plain: RunFolder) -> None:
    folder = RunFolder(Path(shutil.copytree(plain.path, tmp_path / "run")))
    record = read_record(folder)
    write_digest(folder, record, 1_700_000_000.0)
    digest = read_measured(folder)
    assert len(digest.intervals) < len(record.intervals) / 10
    assert_alike(record, digest, BUDGETS)
    with (folder.path / "worker-1.jsonl").open("a") as file:
        file.write("nonsense\n")
    assert read_measured(folder).damaged_lines == 1
    assert len(read_measured(folder).intervals) == len(record.intervals)


def test_a_digest_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path, "run")
    write_run(folder, every_s=50)
    for text in ("", "[]", "{}", '{"schema": 7}', '{"schema": "dbz.digest/1", "sources": {}}', "no"):
        (folder.path / "digest.json").write_text(text)
        assert len(read_measured(folder).intervals) == len(read_record(folder).intervals) > 100


def test_a_short_run_needs_no_digest(tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path, "run")
    write_run(folder, every_s=50)
    write_digest(folder, read_record(folder), 1_700_000_000.0)
    assert not list(folder.path.glob("digest*"))


def test_views_of_a_long_run_show_the_same_though_they_forget_its_rows(plain: RunFolder) -> None:
    whole, recent = LiveFigures(BUDGETS), LiveFigures(BUDGETS)
    everything = read_record(plain)
    shown = Record()
    for until_s in range(100, 1_500, 100):
        shown.intervals = [one for one in everything.intervals if one.start_s + one.length_s <= until_s]
        shown.intervals.sort(key=lambda one: one.start_s + one.length_s)
        shown.workers = {w: [line for line in lines if line["t"] <= until_s] for w, lines in everything.workers.items()}
        shown.marks = {name: t for name, t in everything.marks.items() if t <= until_s}
        whole.update(shown)
        cut = replace(shown, forgotten=type(shown.forgotten)(), workers={})
        keep = max(len(shown.intervals) - 2_000, 0)
        cut.intervals, cut.forgotten["intervals"] = shown.intervals[keep:], keep
        for worker, lines in shown.workers.items():
            drop = max(len(lines) - 150, 0)
            cut.workers[worker], cut.forgotten[worker] = lines[drop:], drop
        recent.update(cut)
        assert [verdict.value for verdict in recent.verdicts] == [verdict.value for verdict in whole.verdicts]
        assert recent.counters() == whole.counters() and recent.lag == whole.lag
        assert recent.recent() == whole.recent() and recent.users == whole.users
    assert whole.ended and any(verdict.value for verdict in whole.verdicts)
