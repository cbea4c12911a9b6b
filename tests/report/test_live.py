"""The live view of a running load: the same figures as the final report, at little cost, on any stream."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from dbz.measure.budget.verdicts import judge
from dbz.report import open_view
from dbz.report.live.figures import LiveFigures
from dbz.report.terminal.run.live import LiveView, PlainView
from dbz.report.terminal.run.live_screen import clock, phase
from dbz.runs import aggregate
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import Record, read_record
from dbz.runs.storage.record import END, STEADY
from tests.report.test_terminal import Terminal, plain_environment  # noqa: F401 used as a fixture
from tests.runs.builder import BUDGETS


def growing(folder: RunFolder) -> Iterator[Record]:
    """The record of a run as it was after each second."""
    whole, record = read_record(folder), Record()
    for second in range(int(whole.last_s) + 1):
        record.intervals.extend(one for one in whole.intervals if round(one.start_s) == second - 1)
        for worker, lines in whole.workers.items():
            record.workers.setdefault(worker, []).extend(line for line in lines if round(line["t"]) == second)
        record.server.extend(line for line in whole.server if int(line["t"]) == second - 1)
        for mark, at in whole.marks.items():
            # A mark is often read a poll later than what it bounds.
            if second > at or second == whole.last_s:
                record.marks[mark] = at
        yield record


def followed(folder: RunFolder) -> LiveFigures:
    figures = LiveFigures(BUDGETS)
    for record in growing(folder):
        figures.update(record)
    return figures


def test_at_the_end_the_live_budgets_are_those_of_the_report(broken: RunFolder) -> None:
    record = read_record(broken)
    final = judge(BUDGETS, aggregate.measurements(record, record.window))
    live = followed(broken).verdicts
    assert [(one.budget.name, one.outcome, one.samples) for one in live] == [
        (one.budget.name, one.outcome, one.samples) for one in final
    ]
    assert [one.value for one in live] == pytest.approx([one.value for one in final])


def test_the_recent_figures_cover_the_last_ten_seconds(passed: RunFolder) -> None:
    figures, record = followed(passed), read_record(passed)
    recent = [one for one in record.intervals if one.series.kind == "http" and one.start_s >= 2]
    assert figures.recent()["http"].count == sum(len(one.histogram) for one in recent)
    assert figures.recent_s == 10


def test_nothing_is_judged_before_the_warm_up_is_over(passed: RunFolder) -> None:
    figures = LiveFigures(BUDGETS)
    for record in growing(passed):
        figures.update(record)
        assert bool(figures.verdicts) == (STEADY in record.marks)


def test_phases_follow_the_marks(passed: RunFolder) -> None:
    figures, seen = LiveFigures(), []
    for second, record in enumerate(growing(passed)):
        figures.update(record)
        seen.append(phase(figures, second, 12))
    assert list(dict.fromkeys(seen)) == ["starting", "warm-up", "measuring", "finishing"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.9, "1:05"), (3725, "1:02:05")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_plain_view_writes_a_short_line_every_five_seconds(broken: RunFolder) -> None:
    stream = io.StringIO()
    with open_view(False, False, title="mixed", budgets=BUDGETS, stream=stream) as view:
        for second, record in enumerate(growing(broken)):
            view.update(record, float(second), 12.0)
    title, *lines = stream.getvalue().splitlines()
    assert title == "load: mixed"
    assert [line.split(",")[0] for line in lines] == [
        "0:00 of 0:12  starting", "0:05 of 0:12  measuring", "0:10 of 0:12  measuring",
    ]  # fmt: skip
    assert "500 users" in lines[-1] and "http p95 failed" in lines[-1] and "3 broken" in lines[-1]
    assert "\x1b" not in stream.getvalue()


def test_the_live_view_draws_on_a_screen_of_its_own_and_gives_it_back(broken: RunFolder) -> None:
    stream = Terminal()
    *_, record = growing(broken)
    with open_view(True, False, title="mixed", budgets=BUDGETS, stream=stream) as view:
        view.update(record, 11.0, 12.0)
    text = stream.getvalue()
    assert text.index("\x1b[?1049h") < text.index("budgets so far") < text.index("\x1b[?1049l")
    assert text.rindex("\x1b[?25l") < text.rindex("\x1b[?25h")
    assert "chat_message_latency" in text and "HTTP requests" in text


def test_the_screen_is_given_back_when_the_load_fails(broken: RunFolder) -> None:
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt), open_view(True, False, stream=stream):
        raise KeyboardInterrupt
    assert "\x1b[?1049l" in stream.getvalue()


def test_updates_in_quick_succession_are_drawn_once(broken: RunFolder) -> None:
    stream = Terminal()
    with open_view(True, False, stream=stream) as view:
        for record in growing(broken):
            view.update(record, 1.0, 12.0)
    assert stream.getvalue().count("last 10 seconds") < 12


def test_an_empty_record_can_be_shown() -> None:
    for stream in (io.StringIO(), Terminal()):
        with open_view(stream.isatty(), False, budgets=BUDGETS, stream=stream) as view:
            view.update(Record(), 0.1, 0.0)
        assert "starting" in stream.getvalue() or "finishing" in stream.getvalue()


def test_marks_without_samples_do_not_judge_anything_as_good() -> None:
    figures = LiveFigures(BUDGETS)
    line = {"t": 1.0, "users": 1, "cpu_percent": 1}
    figures.update(Record(marks={STEADY: 1.0, END: 2.0}, workers={"worker-0": [line]}))
    assert {verdict.outcome.value for verdict in figures.verdicts} == {"not measured"}


@pytest.mark.parametrize(
    ("terminal", "no_live", "expected"), [(True, False, LiveView), (True, True, PlainView), (False, False, PlainView)]
)
def test_the_caller_chooses_the_view(terminal: bool, no_live: bool, expected: type) -> None:
    assert isinstance(open_view(terminal, no_live, stream=io.StringIO()), expected)


def test_without_a_choice_the_stream_decides() -> None:
    assert isinstance(open_view(stream=Terminal()), LiveView)
    assert isinstance(open_view(stream=io.StringIO()), PlainView)
