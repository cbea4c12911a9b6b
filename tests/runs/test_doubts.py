"""Answers of a good status that say that something went wrong: named, judged by budgets, never all of a green run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from dbz.measure.budget.budgets import Budget, parse_budget
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import ACK, HTTP, Series
from dbz.runs.conclude import conclude
from dbz.runs.schema import Run, RunVerdict
from dbz.runs.storage.reading import Record
from dbz.runs.storage.sound_lines import WORKER, is_sound
from dbz.runs.validity.scenario_code import notes_of_code

ERRORS = parse_budget("errors", "errors", "error_rate", "< 1%")
DOUBTFUL = parse_budget("doubtful", "http.doubtful", "error_rate", "< 5%")
SECONDS = 6


def run_of(
    lines: Mapping[str, Any], budgets: Sequence[Budget] = (ERRORS,), kind: str = HTTP, name: str = "GET /a"
) -> Run:
    """A run of six seconds, the first of them warm-up, with 100 good answers of one operation in each, and this in
    each line of the record.
    """
    record = Record(marks={"steady": 1.0, "end": float(SECONDS)})
    for second in range(SECONDS):
        record.intervals.append(Interval(Series(kind, name), second, 1.0, Histogram({500: 100})))
        record.workers.setdefault("worker-0", []).append(
            {"t": second + 1.0, "dt": 1.0, "users": 5, "cpu_percent": 5, "errors": [], **lines}
        )
        record.server.append({"t": second + 0.5, "up": True})
    run = Run(id="r", started="2026-11-23T06:54:50+00:00", profile={"users": 5, "workers": 1}, target="t", seed=1)
    return conclude(run, record, budgets)


def said(count: int, text: str = "error: no db", kind: str = HTTP, name: str = "GET /a") -> dict[str, Any]:
    """What a line says when so many of 100 answers said this."""
    contents = {name: [0, 100, 0, 0]} if kind == HTTP else {}
    return {"objections": [[kind, name, text, count]] if count else [], "contents": contents}


def test_some_such_answers_are_named_with_what_they_say() -> None:
    run = run_of(said(10))
    assert run.verdict is RunVerdict.PASS
    (note,) = run.notes
    assert note.startswith("50 of 500 good answers to GET /a say that something went wrong (error: no db)")


def test_nothing_but_such_answers_has_shown_nothing() -> None:
    run = run_of(said(100))
    assert run.verdict is RunVerdict.INVALID
    assert run.reasons[0].startswith("every answer of a good status says that something went wrong (GET /a: error: no")
    acks = run_of(said(100, kind=ACK, name="join"), kind=ACK, name="join")
    assert acks.verdict is RunVerdict.INVALID and "500 of 500 good acknowledgements to join" in acks.notes[0]


def test_a_budget_says_how_many_there_may_be() -> None:
    assert run_of(said(10), (ERRORS, DOUBTFUL)).verdict is RunVerdict.FAIL
    assert run_of(said(1), (ERRORS, DOUBTFUL)).verdict is RunVerdict.PASS
    tolerant = parse_budget("doubtful", 'http.doubtful{op="GET /a"}', "error_rate", "<= 100%")
    assert run_of(said(100), (ERRORS, tolerant)).verdict is RunVerdict.PASS


def test_acknowledgements_that_all_say_an_error_are_not_judged_by_a_budget_on_answers() -> None:
    lines = said(100, kind=ACK, name="join")
    run = run_of(lines, (ERRORS, DOUBTFUL), kind=ACK, name="join")
    assert run.verdict is RunVerdict.INVALID and "join: error: no db" in run.reasons[0]
    of_acks = parse_budget("acks", "ack.doubtful", "error_rate", "<= 100%")
    assert run_of(lines, (ERRORS, of_acks), kind=ACK, name="join").verdict is RunVerdict.PASS


def astray(count: int) -> dict[str, Any]:
    """What a line says when so many of 100 messages reached somebody else as well."""
    return {"deliveries": {"chat": [10, 100, 100, 0, 0, 0]}, "astray": {"chat": [count]}}


def twice(count: int) -> dict[str, Any]:
    """What a line says when so many of 100 messages arrived twice."""
    return {"deliveries": {"chat": [10, 100, 100, 0, count, 0]}}


@pytest.mark.parametrize(
    ("metric", "unasked", "what"),
    [
        ("astray", astray, "reached somebody who is not in their room"),
        ("duplicated", twice, "arrived twice"),
    ],
)
def test_messages_that_nobody_expects_break_a_run_unless_a_budget_allows_them(
    metric: str, unasked: Callable[[int], dict[str, Any]], what: str
) -> None:
    run = run_of(unasked(3))
    assert run.verdict is RunVerdict.FAIL
    (reason,) = run.reasons
    assert reason.startswith(f"15 messages of chat {what}, of 500 expected")
    assert run_of(unasked(0)).verdict is RunVerdict.PASS
    allowed = parse_budget("allowed", f"delivery.{metric}{{event=chat}}", "error_rate", "< 5%")
    assert run_of(unasked(3), (ERRORS, allowed)).verdict is RunVerdict.PASS
    of_another = parse_budget("allowed", f"delivery.{metric}{{event=score}}", "error_rate", "< 5%")
    assert run_of(unasked(3), (ERRORS, of_another)).verdict is RunVerdict.FAIL
    looked_at = parse_budget("measured", "errors", "error_rate", "<= 100%")
    assert run_of(unasked(100), (looked_at,)).verdict is RunVerdict.PASS


def test_a_record_of_before_answers_were_looked_at_does_not_say_that_they_were_good() -> None:
    (_, doubtful) = run_of({}, (ERRORS, DOUBTFUL)).budgets
    assert doubtful.verdict == "not measured"


def test_content_that_changes_or_is_missing_is_named() -> None:
    run = run_of({"objections": [], "contents": {"GET /a": [30, 70, 0, 0], "POST /b": [50, 50, 0, 0]}})
    assert run.verdict is RunVerdict.PASS
    assert run.notes == ["the good answers to GET /a had different kinds of content: 420 were JSON, 180 were empty"]
    (note,) = run_of({"objections": [], "contents": {"GET /a": [100, 0, 0, 0]}}).notes
    assert note == "all 600 good answers to GET /a were empty"
    assert run_of({"objections": [], "contents": {"POST /a": [100, 0, 0, 0]}}).notes == []


def test_a_damaged_line_is_counted_and_not_read() -> None:
    assert is_sound({"t": 1.0, **said(3)}, WORKER)
    assert not is_sound({"t": 1.0, "objections": [["http", "GET /a", 3]]}, WORKER)
    assert not is_sound({"t": 1.0, "contents": {"GET /a": [1, 2, 3]}}, WORKER)


def test_a_judged_part_without_users_is_named() -> None:
    def noted(users: Sequence[int]) -> list[str]:
        record = Record(marks={"steady": 1.0, "end": float(SECONDS)})
        for second, held in enumerate(users):
            record.intervals.append(Interval(Series(HTTP, "GET /a"), second, 1.0, Histogram({500: 100})))
            for worker in ("worker-0", "worker-1"):
                line = {"t": second + 1.0, "dt": 1.0, "users": held * (worker == "worker-1"), "errors": []}
                record.workers.setdefault(worker, []).append(line)
        return notes_of_code(record)

    assert noted([5] * SECONDS) == noted([0, *[5] * (SECONDS - 2), 0]) == noted([0] * SECONDS) == []
    (note,) = noted([5, 5, 5, 0, 0, 0])
    assert note.startswith("no user was left from 3 s on: the last 3 s of the judged part count")
    (note,) = noted([5, 0, 0, 0, 0, 0])
    assert note.startswith("no user was left from 1 s on: the last 5 s")
