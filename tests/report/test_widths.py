"""Nothing that a reader needs is lost: not in a pipe, not on a narrow screen, not in numbers."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.measure.budget.budgets import parse_budget
from dbz.measure.budget.limits import format_value
from dbz.measure.budget.measured import Measured
from dbz.measure.budget.measuring import Measurements, measure
from dbz.measure.budget.verdicts import Outcome, Verdict
from dbz.report.live.figures import LiveFigures
from dbz.report.terminal.console import make_console
from dbz.report.terminal.run.live_screen import screen
from dbz.report.terminal.run.summary import print_summary
from dbz.report.terminal.run.tables import cell
from dbz.report.words.facts import users_text
from dbz.runs.aggregate import error_groups, measurements
from dbz.runs.conclude import budget_result
from dbz.runs.schema import Run
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import Record, read_record
from dbz.runs.timeline import timeline
from dbz.units import counted, format_number, format_percent, format_rate
from tests.runs.builder import BUDGETS, Scene, build_run

LONG = "GET /api/v2/organisations/{organisation}/clubs/{club}/seasons/{season}/fixtures/{fixture}/availability/summary"


def printed(run: Run, width: int | None) -> str:
    stream = io.StringIO()
    print_summary(run, Path("reports/run/report.html"), make_console(stream, width=width))
    return stream.getvalue()


def with_long_name(run: Run) -> Run:
    operations = [one.model_copy(update={"name": LONG}) if not at else one for at, one in enumerate(run.operations)]
    budgets = [one.model_copy(update={"name": LONG}) if not at else one for at, one in enumerate(run.budgets)]
    return run.model_copy(update={"operations": operations, "budgets": budgets})


def test_in_a_pipe_no_name_is_cut(broken: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    text = printed(with_long_name(broken.load()), None)
    assert text.count(LONG) >= 2 and "…" not in text


@pytest.mark.parametrize("width", [60, 71])
def test_on_a_narrow_screen_names_are_wrapped_and_not_cut(broken: RunFolder, width: int) -> None:
    run = broken.load()
    text = printed(run, width)
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    tables = text[text.index("Budgets") : text.index("Health")]
    assert "…" not in tables
    for name in ("api_response_time", "chat_message_latency", "server_memory_usage"):
        assert name in tables


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.000027, "0.0027 %"), (1e-9, "0.0000001 %"), (0.999973, "99.9973 %"), (0.99999999, "99.999999 %"),
        (1.0, "100 %"), (0.0, "0 %"), (0.9995, "99.95 %"), (0.123456, "12.35 %"), (12.5, "1250 %"),
    ],
)  # fmt: skip
def test_shares_keep_the_digits_that_tell_them_from_none_and_all(share: float, text: str) -> None:
    assert format_percent(share) == text


@given(st.floats(0, 1e12, allow_nan=False))
def test_no_number_for_people_has_an_exponent(value: float) -> None:
    assert "e" not in format_number(value) + format_rate(value).removesuffix("/s") + format_percent(value)
    assert "e" not in format_value(value, "/s").removesuffix("/s") + format_value(value, "%")


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_share_between_none_and_all_looks_like_neither(share: float) -> None:
    assert format_percent(share) not in ("0 %", "100 %") or share > 1 - 1e-13


@pytest.mark.parametrize("value", [0.000027, 1e-8, 0.999973, 0.9999995])
def test_a_share_is_stored_with_its_digits(value: float) -> None:
    verdict = Verdict(parse_budget("few", "errors", "error_rate", "< 1%"), Outcome.PASS, Measured(value, 10**9))
    assert budget_result(verdict).value == value


@pytest.mark.parametrize(("count", "text"), [(0, "0 users"), (1, "1 user"), (2, "2 users"), (1200, "1,200 users")])
def test_counts_have_the_number_of_their_noun(count: int, text: str) -> None:
    assert counted(count, "user") == text


def test_a_load_whose_users_changed_says_between_what(passed: RunFolder) -> None:
    run = passed.load()
    assert users_text(run.model_copy(update={"users_held": 5, "users_most": 500})) == "5 to 500 users"
    assert users_text(run.model_copy(update={"users_held": 500, "users_most": 501})) == "500 users"
    assert users_text(run.model_copy(update={"users_held": 1, "users_most": 1})) == "1 user"


def test_gauges_that_vary_have_no_negative_interval() -> None:
    budget = parse_budget("cpu", "server.cpu", "mean", "< 70%")
    found = measure(budget.of, "mean", Measurements(seconds=3, gauges={"server.cpu": [0.0, 0.0, 0.9]}))
    assert found is not None and found.low == 0.0 and found.high <= 1.0


def test_errors_count_the_same_part_as_operations(tmp_path: Path) -> None:
    """Every failed attempt of the judged part is in the table of errors, and no other."""
    folder = build_run(tmp_path, Scene(seconds=12, warmup_s=4, failing={"GET /api/posts": 0.3}))
    run, record = folder.load(), read_record(folder)
    assert sum(one.count for one in run.errors) == sum(one.errors for one in run.operations)
    assert (
        run.errors_outside == sum(one.count for one in error_groups(record)) - sum(one.count for one in run.errors) > 0
    )


def test_the_rest_of_a_second_after_the_end_is_no_peak(tmp_path: Path) -> None:
    folder = Scene(seconds=10, warmup_s=2).write(tmp_path)
    record = read_record(folder)
    whole = timeline(record)
    rest = [one.__class__(one.series, 10.0, 0.2, one.histogram) for one in record.intervals if one.start_s == 9.0]
    record.intervals += rest
    for lines in record.workers.values():
        lines.append({**lines[-1], "t": 10.2, "dt": 0.2})
    assert timeline(record).rate == whole.rate and timeline(record).users == whole.users
    assert rest and measurements(record, record.window).seconds == 8


def test_the_live_screen_names_the_worst_operations(broken: RunFolder) -> None:
    figures, record = LiveFigures(BUDGETS), read_record(broken)
    figures.update(record)
    (worst, latency), *_ = figures.worst(3)
    assert worst.name == "GET /api/posts" and latency.errors
    for height, shown in ((50, True), (24, False)):
        console = make_console(io.StringIO(), width=100)
        console.height = height
        with console.capture() as capture:
            console.print(screen(figures, "mixed", 5.0, 10.0, console))
        assert ("GET /api/posts" in capture.get()) == shown
        assert len(capture.get().splitlines()) <= height


def test_an_error_named_by_its_message_is_named_once() -> None:
    rows = [
        ["http", "a", "ConnectionLost: ConnectionLost", 1],
        ["http", "a", "Lost: Lost: really", 1],
        ["http", "a", "A: AB", 1],
    ]
    record = Record(workers={"0": [{"t": 1.0, "errors": rows}]})
    assert sorted(one.error for one in error_groups(record)) == ["A: AB", "ConnectionLost", "Lost: really"]


def test_a_name_as_long_as_a_page_pushes_no_number_off_it() -> None:
    shown = cell("a" * 5000 + "/the/end").plain
    assert shown.startswith("aaaa") and " … " in shown and shown.endswith("/the/end") and len(shown) <= 320
    assert cell("b" * 320).plain == "b" * 320
