"""A window of a run that goes on is judged by what was written of it, and by nothing that came before or after."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbz.measure.budget.budgets import parse_budget
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import HTTP, UNFINISHED, Series
from dbz.runs.conclude import conclude
from dbz.runs.schema import Run, RunVerdict, Window
from dbz.runs.storage.part import is_written, part_of
from dbz.runs.storage.reading import Record, read_record
from tests.runs.builder import Scene, Traffic, build_run

POSTS = Series(HTTP, "GET /api/posts")
BUDGETS = [
    parse_budget("errors", "errors", "error_rate", "< 0.1%", required=True),
    parse_budget("p95", "http", "p95", "< 500ms"),
]


@pytest.fixture(scope="module")
def going_on(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Record]:
    """A run of which nobody has said yet where its judged part begins and ends."""
    folder = build_run(
        tmp_path_factory.mktemp("reports"), Scene(seconds=14, warmup_s=2, traffic=(Traffic(POSTS, 60, 5),))
    )
    return folder.load(), replace(read_record(folder), marks={})


def judged(run: Run, record: Record, window: Window) -> Run:
    return conclude(run, part_of(record, window), BUDGETS, window=window)


def slow(series: Series, second: int) -> Interval:
    histogram = Histogram()
    histogram.record(9_000_000, 500)
    return Interval(series, float(second), 1.0, histogram)


@pytest.mark.parametrize(("second", "verdict"), [(3, "pass"), (4, "fail"), (7, "fail"), (8, "pass"), (12, "pass")])
def test_only_what_lies_in_a_window_decides(going_on: tuple[Run, Record], second: int, verdict: str) -> None:
    run, record = going_on
    record = replace(record, intervals=[*record.intervals, slow(POSTS, second)])
    assert judged(run, record, Window(start_s=4, end_s=8)).verdict.value == verdict


def test_requests_that_users_gave_up_when_they_were_taken_away_are_of_no_window(going_on: tuple[Run, Record]) -> None:
    run, record = going_on
    given_up = [slow(Series(UNFINISHED, POSTS.name, failed=True), second) for second in (3, 5, 12)]
    record = replace(record, intervals=[*record.intervals, *given_up])
    assert judged(run, record, Window(start_s=4, end_s=8)).verdict is RunVerdict.PASS


def test_a_window_that_is_not_written_yet_is_not_judged_as_if_it_were(going_on: tuple[Run, Record]) -> None:
    run, record = going_on
    assert is_written(record, 14) and not is_written(record, 16) and not is_written(Record(), 0)
    found = judged(run, record, Window(start_s=10, end_s=18))
    assert found.verdict is RunVerdict.INVALID and "stood still, or could not write" in found.reasons[0]
