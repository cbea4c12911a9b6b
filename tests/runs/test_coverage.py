"""Every judged second is accounted for: by each worker, by a probe, by an answer, or it counts against somebody."""

from __future__ import annotations

import errno
import heapq
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.measure.budget.budgets import Budget, parse_budget
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import HTTP, REQUEST_KINDS, RUNNING, SERVICE, Series
from dbz.runs.conclude import conclude
from dbz.runs.schema import Run, RunVerdict
from dbz.runs.storage.reading import Record, read_record
from dbz.runs.storage.record import END, STEADY
from dbz.runs.validity.coverage import silences
from tests.runs.builder import Scene, Traffic, build_run

POSTS = Series(HTTP, "GET /api/posts")
SECONDS, WARMUP_S = 14, 2
SCENE = Scene(seconds=SECONDS, warmup_s=WARMUP_S, traffic=(Traffic(POSTS, 60, 5),))
ERRORS = parse_budget("errors", "errors", "error_rate", "< 0.1%", required=True)
UPTIME = parse_budget("uptime", "uptime", "rate", ">= 99.9%")
P95 = parse_budget("p95", "http", "p95", "< 500ms")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Record]:
    """A run in which nothing is missing."""
    folder = build_run(tmp_path_factory.mktemp("reports"), SCENE)
    return folder.load(), read_record(folder)


def judged(whole: tuple[Run, Record], budgets: list[Budget], **changed: Any) -> Run:
    run, record = whole
    return conclude(run, replace(record, **changed), budgets)


def test_a_run_in_which_nothing_is_missing_passes(whole: tuple[Run, Record]) -> None:
    run = judged(whole, [ERRORS, UPTIME, P95])
    assert (run.verdict, run.reasons, run.notes) == (RunVerdict.PASS, [], [])


GAPS = st.tuples(st.integers(WARMUP_S, SECONDS - 2), st.integers(2, 12)).map(
    lambda pair: (pair[0], min(sum(pair), SECONDS))
)


@settings(deadline=None)
@given(worker=st.sampled_from(["worker-0", "worker-1"]), gap=GAPS, frozen=st.booleans())
def test_a_worker_that_stood_still_makes_the_run_invalid(
    whole: tuple[Run, Record], worker: str, gap: tuple[int, int], frozen: bool
) -> None:
    """Whether its lines are missing (a full disk), or one long line stands for them (a stopped process)."""
    start, end = gap
    frozen &= end - start > 2
    lines = [line for line in whole[1].workers[worker] if not start < line["t"] <= end]
    if frozen:
        lines = sorted([*lines, {**whole[1].workers[worker][0], "t": float(end), "dt": float(end - start)}], key=_t)
    run = judged(whole, [ERRORS], workers={**whole[1].workers, worker: lines})
    assert run.verdict is RunVerdict.INVALID
    assert any(f"{worker} of the load generator stood still" in reason for reason in run.reasons)


def _t(line: dict[str, Any]) -> float:
    return float(line["t"])


@settings(deadline=None)
@given(late=st.floats(0, 0.9), second=st.integers(WARMUP_S + 1, SECONDS - 1))
def test_a_line_that_is_a_little_late_is_no_gap(whole: tuple[Run, Record], late: float, second: int) -> None:
    lines = [dict(line) for line in whole[1].workers["worker-0"]]
    lines[second - 1] |= {"t": second + late, "dt": 1.0 + late}
    lines[second] |= {"t": second + 1.0, "dt": 1.0 - late}
    assert judged(whole, [ERRORS], workers={**whole[1].workers, "worker-0": lines}).verdict is RunVerdict.PASS


@pytest.mark.parametrize("at", [WARMUP_S + 1, WARMUP_S + 6, SECONDS - 1])
def test_a_worker_that_its_scenario_ended_is_no_gap_but_one_before_it_is(whole: tuple[Run, Record], at: int) -> None:
    def until(worker: str, left_s: float) -> list[dict[str, Any]]:
        lines = [dict(line) for line in whole[1].workers[worker] if line["t"] <= left_s]
        return [*lines, {**lines[-1], "t": left_s + 0.1, "dt": 0.1, "left": True}]

    one = whole[1].workers | {"worker-0": until("worker-0", at)}
    run = judged(whole, [ERRORS], workers=one)
    assert run.verdict is RunVerdict.PASS and "the scenario ended 1 of 2 workers, and the others went on" in run.notes
    torn = [line for line in one["worker-0"] if not WARMUP_S < line["t"] <= at]
    assert judged(whole, [ERRORS], workers=one | {"worker-0": torn}).verdict is RunVerdict.INVALID
    both = {worker: until(worker, at) for worker in whole[1].workers}
    run = judged(whole, [ERRORS], workers=both)
    assert run.verdict is RunVerdict.PASS and run.window.end_s == pytest.approx(at + 0.1)


def test_a_worker_without_any_record_is_missed(whole: tuple[Run, Record]) -> None:
    run, record = whole
    three = run.model_copy(update={"profile": {**run.profile, "workers": 3}})
    concluded = conclude(three, record, [ERRORS])
    assert concluded.verdict is RunVerdict.INVALID and "1 of 3 workers" in concluded.reasons[0]
    allowed = three.model_copy(update={"profile": {**three.profile, "lost_workers": 1}})
    assert conclude(allowed, record, [ERRORS], lost_workers=1).verdict is RunVerdict.PASS


def test_damaged_lines_make_the_run_invalid(whole: tuple[Run, Record]) -> None:
    run = judged(whole, [ERRORS], damaged_lines=1)
    assert run.verdict is RunVerdict.INVALID and "damaged" in run.reasons[0]


NOT_THERE, NO_CONNECTION = "timed out", "refused"
STATES = st.lists(
    st.sampled_from([200, 302, 401, 404, 500, 503, NOT_THERE, NO_CONNECTION]), min_size=SECONDS, max_size=SECONDS
)


def probed(states: list[int | str]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    known = False
    for second, state in enumerate(states):
        known |= isinstance(state, int) and state != 404
        up = isinstance(state, int) and state < 500 and state != 404
        line: dict[str, Any] = {"t": second + 0.05, "health": state}
        if state == NO_CONNECTION:
            lines.append({**line, "up": False, "unreachable": True})
        else:
            lines.append({**line, "up": up} if known else {**line, "asked": "/healthz"})
    return lines


@settings(deadline=None)
@given(STATES | st.lists(st.sampled_from([404, NOT_THERE, NO_CONNECTION]), min_size=SECONDS, max_size=SECONDS))
def test_uptime_is_the_share_of_all_seconds_in_which_the_target_was_up(
    whole: tuple[Run, Record], states: list[int | str]
) -> None:
    run = judged(whole, [ERRORS, UPTIME], server=probed(states))
    (uptime,) = [budget for budget in run.budgets if budget.name == "uptime"]
    judged_states = states[WARMUP_S:]
    has_probe = any(isinstance(state, int) and state != 404 for state in states)
    good = [state in (200, 302, 401) if has_probe else state != NO_CONNECTION for state in judged_states]
    if not has_probe and all(good):
        assert uptime.verdict == "not measured" and "--health PATH" in uptime.note
        assert run.verdict is RunVerdict.PASS
        waits = states[-1] == NOT_THERE
        assert waits == any("/healthz is never answered (timed out)" in note for note in run.notes)
        return
    assert uptime.value == pytest.approx(sum(good) / len(good), abs=1e-4)
    assert run.verdict is (RunVerdict.PASS if all(good) else RunVerdict.FAIL)


def test_a_health_path_that_was_named_must_answer(whole: tuple[Run, Record]) -> None:
    lines = [{"t": second + 0.05, "health": NOT_THERE, "up": False, "probe": "/up"} for second in range(SECONDS)]
    assert judged(whole, [ERRORS, UPTIME], server=lines).verdict is RunVerdict.FAIL


@settings(deadline=None)
@given(missing=st.sets(st.integers(WARMUP_S, SECONDS - 1), min_size=1))
def test_seconds_in_which_dbz_did_not_ask_count_as_down_and_make_the_run_invalid(
    whole: tuple[Run, Record], missing: set[int]
) -> None:
    lines = [line for second, line in enumerate(probed([200] * SECONDS)) if second not in missing]
    run = judged(whole, [ERRORS, UPTIME], server=lines)
    assert run.verdict is RunVerdict.INVALID
    judged_s = SECONDS - WARMUP_S
    if lines:
        assert run.budgets[1].value == pytest.approx((judged_s - len(missing)) / judged_s, abs=1e-4)
        assert f"in {len(missing)} of {judged_s} seconds the target was not asked" in run.reasons[0]


def silent(whole: tuple[Run, Record], start: int, end: int, name: str = POSTS.name) -> dict[str, Any]:
    """The record with silence in some of its seconds: all ten users wait from `start` on, and are answered at `end`."""
    kept = [one for one in whole[1].intervals if not (one.series.kind in REQUEST_KINDS and start <= one.start_s < end)]
    for second in range(start, end):
        ages = Histogram()
        ages.record((second + 1 - start) * 1_000_000, 10)
        if second > start:
            kept.append(Interval(Series(RUNNING, name), float(second), 1.0, ages))
    answers = Histogram()
    answers.record((end - start) * 1_000_000, 10)
    kept.append(Interval(Series(HTTP, name), float(end), 1.0, answers))
    return {"intervals": sorted(kept, key=lambda one: one.start_s), "server": []}


@settings(deadline=None)
@given(start=st.integers(WARMUP_S, SECONDS - 6), length=st.integers(3, 5))
def test_total_silence_of_a_closed_load_is_down_time_and_reaches_the_percentiles(
    whole: tuple[Run, Record], start: int, length: int
) -> None:
    changed = silent(whole, start, start + length)
    record = replace(whole[1], **changed)
    assert silences(record, record.window) == [(start + 1, length - 1)]
    run = judged(whole, [ERRORS, UPTIME, P95], **changed)
    assert run.verdict is RunVerdict.FAIL
    assert {budget.name for budget in run.budgets if budget.reason} == {"uptime", "p95"}
    assert run.budgets[2].value is not None and run.budgets[2].value > 500
    assert f"silent for {length - 1} s from {start + 1} s on" in run.notes[0]


def test_paced_users_carry_their_lateness_themselves(whole: tuple[Run, Record]) -> None:
    lines = {name: [{**line, "begun": 30} for line in of_worker] for name, of_worker in whole[1].workers.items()}
    run = judged(whole, [P95], workers=lines, **silent(whole, 5, 9))
    assert (run.verdict, run.budgets[0].value) == (RunVerdict.PASS, pytest.approx(13, abs=3))


def test_one_slow_report_is_no_silence(whole: tuple[Run, Record]) -> None:
    changed = silent(whole, 5, 9, "GET /api/report")
    usually = Histogram()
    usually.record(4_000_000, 50)
    changed["intervals"].append(Interval(Series(HTTP, "GET /api/report"), 1.0, 1.0, usually))
    run = judged(whole, [ERRORS, UPTIME], **changed)
    assert run.notes == [] and run.budgets[1].verdict == "not measured"


@pytest.mark.parametrize(
    ("of", "stat", "limit"),
    [("http", "rate", ">= 30/s"), ("http", "count", ">= 1"), ("http", "p95", "< 900ms"), ("http", "max", "< 1s")],
)
def test_windows_in_which_nothing_ended_are_not_skipped(
    whole: tuple[Run, Record], of: str, stat: str, limit: str
) -> None:
    budget = parse_budget("it", of, stat, limit, window="1s")
    assert judged(whole, [budget]).verdict is RunVerdict.PASS
    assert judged(whole, [budget], **silent(whole, 5, 9)).verdict is RunVerdict.FAIL


def test_a_window_in_which_nobody_asked_breaks_a_rate_all_the_same(whole: tuple[Run, Record]) -> None:
    budget = parse_budget("it", "http", "rate", ">= 30/s", window="1s")
    kept = [one for one in whole[1].intervals if not (one.series.kind == HTTP and 5 <= one.start_s < 8)]
    assert judged(whole, [budget], intervals=kept).verdict is RunVerdict.FAIL


def test_a_budgets_file_of_which_nothing_was_measured_is_never_a_pass(whole: tuple[Run, Record]) -> None:
    typo = parse_budget("posts", 'http{op="GET /api/postz"}', "p95", "< 1s")
    run = judged(whole, [typo])
    assert run.verdict is RunVerdict.INVALID
    assert run.reasons[-1].startswith("nothing was judged: no budget is about anything that was measured")
    assert "did you mean GET /api/posts?" in run.reasons[-1]
    beside = judged(whole, [typo, ERRORS])
    assert beside.verdict is RunVerdict.PASS and "did you mean GET /api/posts?" in beside.notes[0]


@pytest.mark.parametrize(("inconclusive", "verdict"), [("pass", RunVerdict.INVALID), ("value", RunVerdict.PASS)])
def test_a_budget_that_could_not_be_decided_is_no_verdict(
    whole: tuple[Run, Record], inconclusive: str, verdict: RunVerdict
) -> None:
    from dbz.measure.budget.budgets import Rule, Treatment

    budget = parse_budget("p95", "http", "p95", "< 1s", min_samples=10**6, rule=Rule(Treatment(inconclusive)))
    assert judged(whole, [budget]).verdict is verdict


@pytest.mark.parametrize("trouble", ["HTTP 503", "cannot be read", None])
def test_metrics_that_stop_telling_decide_nothing(whole: tuple[Run, Record], trouble: str | None) -> None:
    cpu = parse_budget("cpu", "server.cpu", "mean", "< 70%")
    assert judged(whole, [ERRORS, cpu]).verdict is RunVerdict.PASS
    lines = [line if line["t"] < 6 else {"t": line["t"], "up": True} for line in whole[1].server]
    if trouble:
        lines += [{"t": second + 0.05, "metrics_trouble": trouble} for second in range(6, SECONDS)]
    run = judged(whole, [ERRORS, cpu], server=lines)
    assert run.verdict is RunVerdict.INVALID and "metrics could not be read" in run.reasons[0]
    assert judged(whole, [ERRORS], server=lines).verdict is RunVerdict.PASS


def simulated(users: int, rate: float, slots: int, service_s: float) -> tuple[Run, Record]:
    """An open load of so many users on a server with so many slots, each request of which takes `service_s` in one."""
    seconds = 20
    free = [0.0] * users  # when each user can take the next arrival
    slot_free = [0.0] * slots
    heapq.heapify(free)
    heapq.heapify(slot_free)
    requests: list[tuple[float, float, float]] = []
    number = 0
    while (arrival_s := number / rate) < seconds:
        begin_s = max(arrival_s, heapq.heappop(free))
        if begin_s >= seconds:
            break
        end_s = max(begin_s, heapq.heappop(slot_free)) + service_s
        heapq.heappush(slot_free, end_s)
        heapq.heappush(free, end_s)
        requests.append((arrival_s, begin_s, end_s))
        number += 1
    record = Record(marks={STEADY: 2.0, END: float(seconds)})
    lines = []
    for second in range(seconds):
        http, wire = Histogram(), Histogram()
        for arrival_s, begin_s, end_s in requests:
            if second <= end_s < second + 1:
                http.record(round((end_s - arrival_s) * 1e6))
                wire.record(round((end_s - begin_s) * 1e6))
        if len(http):
            record.intervals += [
                Interval(Series(HTTP, "GET /"), float(second), 1.0, http),
                Interval(Series(SERVICE, "GET /"), float(second), 1.0, wire),
            ]
        lines.append(
            {
                "t": second + 1.0,
                "dt": 1.0,
                "users": users,
                "cpu_percent": 20.0,
                "begun": sum(second <= begin_s < second + 1 for _, begin_s, _ in requests),
                "running": sum(begin_s <= second + 1 < end_s for _, begin_s, end_s in requests),
            }
        )
    lines[-1]["dropped"] = int(seconds * rate) - number
    record.workers["worker-0"] = lines
    run = Run(
        id="x", started="2026-11-23T06:54:50+00:00", profile={"users": users, "rate": rate}, target="http://x", seed=1
    )
    return run, record


@settings(deadline=None)
@given(service_s=st.floats(0.005, 0.2), rate=st.integers(50, 200), share=st.floats(0.05, 0.85), slots=st.integers(1, 8))
def test_a_server_too_slow_for_the_asked_rate_is_what_fails(
    service_s: float, rate: int, share: float, slots: int
) -> None:
    capacity = slots / service_s
    asked = capacity / share
    if not 5 < asked < 400:
        return
    users = max(round(asked * service_s * 3), 20)
    run, record = simulated(users, asked, slots, service_s)
    concluded = conclude(run, record, [ERRORS])
    if record.workers["worker-0"][-1]["dropped"] < 0.02 * 20 * asked:
        return  # so many users can wait that none of the arrivals is dropped in this time
    assert concluded.verdict is RunVerdict.FAIL, concluded.reasons
    assert "the target was too slow for the asked rate" in concluded.reasons[0]


@settings(deadline=None)
@given(service_s=st.floats(0.02, 0.5), share=st.floats(0.1, 0.85), users=st.integers(1, 20))
def test_too_few_users_for_a_quick_server_are_the_users_fault(service_s: float, share: float, users: int) -> None:
    asked = users / service_s / share
    if not 5 < asked < 400:
        return
    run, record = simulated(users, asked, 10_000, service_s)
    concluded = conclude(run, record, [ERRORS])
    assert concluded.verdict is RunVerdict.INVALID, concluded.reasons
    (reason,) = concluded.reasons
    hint = int(reason.partition("--users (")[2].partition(" or")[0].replace(",", ""))
    assert hint == pytest.approx(asked * service_s, rel=0.25, abs=2)


def test_a_slow_generator_is_not_the_targets_fault(tmp_path: Path) -> None:
    run, record = simulated(20, 100, 1, 0.05)
    lines = [{**line, "cpu_percent": 99.0} for line in record.workers["worker-0"]]
    concluded = conclude(run, replace(record, workers={"worker-0": lines}), [ERRORS])
    assert concluded.verdict is RunVerdict.INVALID
    assert any("used 99 % of a core" in reason for reason in concluded.reasons)


@pytest.mark.parametrize(("code", "hint"), [(errno.EMFILE, "ulimit -n"), (errno.EADDRNOTAVAIL, "no ports left")])
def test_what_the_generators_own_machine_refused_is_not_the_targets_fault(
    whole: tuple[Run, Record], code: int, hint: str
) -> None:
    lines = [dict(line) for line in whole[1].workers["worker-0"]]
    lines[8]["errors"] = [["http", POSTS.name, f"ConnectFailed: {os.strerror(code)}", 40]]
    run = judged(whole, [ERRORS], workers={**whole[1].workers, "worker-0": lines})
    assert (
        run.verdict is RunVerdict.INVALID and hint in run.reasons[0] and "40 attempts were never made" in run.reasons[0]
    )
