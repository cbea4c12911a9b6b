"""A record on disk: what is written is read back, half-written or damaged, and over any window."""

from __future__ import annotations

import json
import math
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import HTTP, Series
from dbz.runs import aggregate
from dbz.runs.schema import Window
from dbz.runs.storage.folder import RunFolder, create_run_folder
from dbz.runs.storage.reading import Record, RecordReader, read_record
from dbz.runs.storage.record import END, STEADY, IntervalFile, LineFile
from dbz.runs.timeline import timeline
from tests.runs.builder import Scene, build_run

POSTS = Series(HTTP, "GET /api/posts")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return create_run_folder(tmp_path, "run")


def interval(second: float, *milliseconds: int, series: Series = POSTS) -> Interval:
    histogram = Histogram()
    for value in milliseconds:
        histogram.record(value * 1000)
    return Interval(series, second, 1.0, histogram)


def write(folder: RunFolder, *intervals: Interval, worker: int = 0) -> None:
    log = IntervalFile(folder.path / f"worker-{worker}.hlog", 1_700_000_000)
    log.write(intervals)
    log.close()


def write_lines(path: Path, *lines: dict[str, object]) -> None:
    file = LineFile(path)
    for line in lines:
        file.write(line)
    file.close()


def test_what_was_written_is_read_back(folder: RunFolder) -> None:
    write(folder, interval(0.0, 10, 20), interval(1.0, 30))
    write_lines(folder.path / "worker-0.jsonl", {"t": 1.0, "users": 5}, {"t": 2.0, "users": 6})
    write_lines(folder.server, {"t": 0.5, "up": True})
    write_lines(folder.marks, {"mark": STEADY, "t": 1.0})
    record = read_record(folder)
    assert record.intervals == [interval(0.0, 10, 20), interval(1.0, 30)]
    assert record.workers == {"worker-0": [{"t": 1.0, "users": 5}, {"t": 2.0, "users": 6}]}
    assert record.server == [{"t": 0.5, "up": True}]
    assert (record.window, record.damaged_lines) == (Window(start_s=1, end_s=2), 0)


def test_a_reader_follows_files_that_grow_and_workers_that_join(folder: RunFolder) -> None:
    reader = RecordReader(folder)
    assert reader.poll().intervals == []
    write(folder, interval(0.0, 10))
    assert len(reader.poll().intervals) == 1
    write(folder, interval(1.0, 20))
    write(folder, interval(0.0, 30), worker=1)
    assert len(reader.poll().intervals) == 3
    assert len(reader.poll().intervals) == 3


def test_a_line_that_is_still_being_written_waits_for_its_end(folder: RunFolder) -> None:
    path = folder.path / "worker-0.jsonl"
    path.write_bytes(b'{"t":1.0,"users":5}\n{"t":2.0,"us')
    reader = RecordReader(folder)
    assert len(reader.poll().workers["worker-0"]) == 1
    with path.open("ab") as file:
        file.write(b'ers":6}\n')
    assert [line["users"] for line in reader.poll().workers["worker-0"]] == [5, 6]
    assert reader.record.damaged_lines == 0


@pytest.mark.parametrize("damage", [b"{broken\n", b"\xff\xfe\x00\n", b"17\n", b"{}\n", b'{"t":"late"}\n', b"\n"])
def test_damaged_lines_are_counted_and_skipped(folder: RunFolder, damage: bytes) -> None:
    (folder.path / "worker-0.jsonl").write_bytes(b'{"t":1.0}\n' + damage + b'{"t":2.0}\n')
    record = read_record(folder)
    assert record.workers == {"worker-0": [{"t": 1.0}, {"t": 2.0}]}
    assert record.damaged_lines == 1


def test_a_damaged_interval_is_counted_and_skipped(folder: RunFolder) -> None:
    write(folder, interval(0.0, 10))
    with (folder.path / "worker-0.hlog").open("a") as file:
        file.write("Tag=http:x,1.000,1.000,2.000,HISTFAAA\nTag=http:x,1.0")
    record = read_record(folder)
    assert (len(record.intervals), record.damaged_lines) == (1, 1)


def test_an_error_text_with_unusual_line_breaks_stays_one_line(folder: RunFolder) -> None:
    error = "boom\u2028\u2029\x85\x0b\x1e\r\nend"
    write_lines(folder.path / "worker-0.jsonl", {"t": 1.0, "errors": [["http", "x", error, 1]]})
    groups = aggregate.error_groups(read_record(folder))
    assert [(group.error, group.count) for group in groups] == [(error, 1)]


def test_only_what_lies_wholly_in_the_window_is_judged(folder: RunFolder) -> None:
    write(folder, *(interval(second, second + 1) for second in range(6)))
    record = read_record(folder)
    found = aggregate.latencies(record, Window(start_s=2, end_s=4))
    assert found[POSTS].count == 2
    assert found[POSTS].max_ms == pytest.approx(4, rel=0.001)


def test_failures_belong_to_the_operation_that_failed(folder: RunFolder) -> None:
    write(folder, interval(0.0, 10, 20), interval(0.0, 1, series=POSTS.as_failed()))
    latency = aggregate.latencies(read_record(folder), Window(start_s=0, end_s=1))
    assert list(latency) == [POSTS]
    assert (latency[POSTS].count, latency[POSTS].errors) == (3, 1)


def test_an_operation_that_only_failed_is_still_a_row(folder: RunFolder) -> None:
    write(folder, interval(0.0, 1, series=POSTS.as_failed()))
    write_lines(folder.path / "worker-0.jsonl", {"t": 1.0, "users": 1})
    record = read_record(folder)
    rows = aggregate.operations(aggregate.measurements(record, Window(start_s=0, end_s=1)))
    assert [(row.name, row.count, row.errors, row.latency_ms.p95) for row in rows] == [(POSTS.name, 1, 1, None)]


@pytest.mark.parametrize(
    ("marks", "start", "end"),
    [
        ([], 9.0, 9.0),
        ([{"mark": STEADY, "t": 3.0}], 3.0, 9.0),
        ([{"mark": STEADY, "t": 3.0}, {"mark": END, "t": 8.0}], 3.0, 8.0),
        ([{"mark": END, "t": 2.0}], 2.0, 2.0),
    ],
)
def test_marks_bound_the_judged_part(
    folder: RunFolder, marks: list[dict[str, object]], start: float, end: float
) -> None:
    write_lines(folder.marks, *marks)
    write_lines(folder.path / "worker-0.jsonl", {"t": 9.0, "users": 1})
    assert read_record(folder).window == Window(start_s=start, end_s=end)


def test_a_worker_that_skips_a_line_did_not_lose_its_users() -> None:
    lines = {
        "worker-0": [{"t": t, "users": 250} for t in (1.0, 2.0, 3.0, 4.0)],
        "worker-1": [{"t": t, "users": 250} for t in (1.0, 2.0, 4.3)],
    }
    assert aggregate.users_by_second(Record(workers=lines), Window(start_s=0, end_s=5)) == [500.0] * 4


@given(
    st.lists(st.lists(st.floats(0.3, 2.5), min_size=8, max_size=12), min_size=1, max_size=4),
    st.floats(0.0, 2.0),
    st.floats(0.1, 4.0),
)
def test_every_worker_counts_in_every_second_wherever_its_lines_begin(
    lengths: list[list[float]], start_s: float, length_s: float
) -> None:
    """Lines that follow each other from before the window to after it, late or not: all users are held in all of it."""
    lines = {}
    for worker, of_worker in enumerate(lengths):
        ends = list(accumulate([*of_worker, *[1.0] * 8]))
        lines[f"worker-{worker}"] = [
            {"t": round(end, 3), "dt": round(length, 3), "users": 3}
            for end, length in zip(ends, [*of_worker, *[1.0] * 8], strict=True)
        ]
    found = aggregate.users_by_second(Record(workers=lines), Window(start_s=start_s, end_s=start_s + length_s))
    assert set(found) == {3.0 * len(lengths)}
    assert len(found) in (max(math.floor(length_s), 1), math.ceil(length_s))


def test_a_worker_that_is_lost_takes_its_users_along() -> None:
    lines = {
        "worker-0": [{"t": t, "users": 250} for t in (1.0, 2.0, 3.0)],
        "worker-1": [{"t": 1.0, "users": 250}],
    }
    assert aggregate.users_by_second(Record(workers=lines), Window(start_s=0, end_s=5)) == [500.0, 250.0, 250.0]


def test_deliveries_and_errors_add_up_over_workers_and_seconds() -> None:
    def line(t: float, sent: int) -> dict[str, object]:
        return {"t": t, "errors": [["http", "x", "HTTP 500", 2]], "deliveries": {"chat": [sent, 10, 9, 1, 0, 0]}}

    record = Record(workers={"worker-0": [line(1.0, 1), line(2.0, 2)], "worker-1": [line(1.5, 3)]})  # type: ignore[list-item]
    (chat,) = aggregate.deliveries(record)
    assert (chat.sent, chat.expected, chat.delivered, chat.lost) == (6, 30, 27, 3)
    (group,) = aggregate.error_groups(record)
    assert (group.count, group.first_s, group.last_s) == (6, 1.0, 2.0)


def test_a_server_that_reports_only_some_figures_is_taken_at_its_word(folder: RunFolder) -> None:
    write_lines(folder.server, {"t": 0.5, "up": True, "cpu_share": None, "memory_bytes": 7}, {"t": 1.5, "up": False})
    record = read_record(folder)
    found = aggregate.measurements(record, Window(start_s=0, end_s=2))
    server = aggregate.server_figures(found, aggregate.server_connections(record, Window(start_s=0, end_s=2)))
    assert server is not None
    assert (server.cpu_percent, server.memory_bytes, server.connections) == (None, 7, None)
    assert found.probes == (1, 2)


def test_a_silent_server_has_no_figures() -> None:
    assert aggregate.server_figures(aggregate.measurements(Record(), Window(start_s=0, end_s=1)), []) is None


def test_a_query_beyond_the_slowest_bucket_has_no_p95(folder: RunFolder) -> None:
    slow = {"posts.list": {"counts": {"inf": 5}, "sum_s": 60}}
    write_lines(folder.server, {"t": 0.5, "up": True, "queries": slow})
    record = read_record(folder)
    server = aggregate.server_figures(aggregate.measurements(record, Window(start_s=0, end_s=1)), [])
    assert server is not None and server.query_ms["posts.list"]["p95"] is None


def test_a_timeline_has_one_entry_a_second(tmp_path: Path) -> None:
    record = read_record(Scene(seconds=8, warmup_s=2, failing={"GET /api/posts": 0.5}).write(tmp_path))
    chart = timeline(record)
    lists = [chart.users, chart.rate, chart.errors, chart.lag_ms, chart.generator_cpu_percent, chart.server_cpu_percent]
    assert {len(values) for values in [chart.seconds, *lists, *chart.rate_by_kind.values()]} == {8}
    assert chart.seconds == list(range(8))
    assert chart.users[2:] == [500] * 6
    assert sum(chart.errors) == sum(len(one.histogram) for one in record.intervals if one.series.failed)
    assert set(chart.latency_ms) == {"http", "connect", "ack", "delivery", "composite"}


def test_a_coarse_timeline_keeps_counts_and_merges_percentiles(tmp_path: Path) -> None:
    record = read_record(Scene(seconds=8, warmup_s=2).write(tmp_path))
    fine, coarse = timeline(record), timeline(record, step_s=4)
    assert coarse.seconds == [0, 4]
    assert sum(coarse.rate) * 4 == pytest.approx(sum(fine.rate))
    assert (
        min(fine.latency_ms["http"][95][:4]) <= coarse.latency_ms["http"][95][0] <= max(fine.latency_ms["http"][95][:4])
    )  # type: ignore[type-var,operator]


def test_seconds_without_a_sample_are_gaps_and_not_zero(folder: RunFolder) -> None:
    write(folder, interval(0.0, 10), interval(2.0, 10))
    write_lines(folder.path / "worker-0.jsonl", *({"t": t, "users": 1, "cpu_percent": 1.0} for t in (1.0, 2.0, 3.0)))
    chart = timeline(read_record(folder))
    assert chart.rate == [1.0, 0.0, 1.0]
    assert chart.latency_ms["http"][50][1] is None
    assert chart.server_cpu_percent == [None] * 3


def test_an_interval_that_took_longer_is_spread_over_its_seconds(folder: RunFolder) -> None:
    write(folder, Interval(POSTS, 0.0, 3.001, interval(0.0, *[10] * 30).histogram), interval(3.001, 10, 10))
    write_lines(folder.path / "worker-0.jsonl", *({"t": t, "users": 1, "cpu_percent": 1.0} for t in (3.001, 4.0)))
    chart = timeline(read_record(folder))
    assert chart.rate == [10.0, 10.0, 10.0, 2.0]
    assert [value is None for value in chart.latency_ms["http"][50]] == [True, True, False, False]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("worker-0.jsonl", {"t": 1, "users": "many", "cpu_percent": 1}),
        ("worker-0.jsonl", {"t": 1e300, "users": 1, "cpu_percent": 1}),
        ("worker-0.jsonl", {"t": 1, "users": 1, "cpu_percent": 1, "deliveries": {"chat": [1, 2]}}),
        ("worker-0.jsonl", {"t": 1, "users": 1, "cpu_percent": 1, "errors": [["http", "GET /", 7]]}),
        ("worker-0.jsonl", {"t": 1, "dt": "long", "users": 1, "cpu_percent": 1}),
        ("server.jsonl", {"t": 1, "queries": {"posts": 3}}),
        ("server.jsonl", {"t": 1, "memory_bytes": "1 GB"}),
        ("machine.jsonl", {"t": 1, "dt": 1}),
        ("marks.jsonl", {"t": 1, "mark": {}}),
        ("marks.jsonl", {"t": 1, "mark": "exit_code"}),
        ("marks.jsonl", []),
    ],
)
def test_a_line_that_no_run_writes_is_damaged(tmp_path: Path, name: str, line: object) -> None:
    folder = build_run(tmp_path, Scene(seconds=2, warmup_s=0))
    before = read_record(folder)
    assert before.damaged_lines == 0
    (path,) = folder.path.rglob(name)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
    after = read_record(folder)
    assert after.damaged_lines == 1 and (after.workers, after.server) == (before.workers, before.server)
