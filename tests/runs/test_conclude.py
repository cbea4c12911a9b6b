"""What becomes of a run: each verdict, and each reason for not trusting it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbz.errors import ExitCode
from dbz.measure.budget.budgets import parse_budget
from dbz.runs.conclude import EXIT_CODES, conclude
from dbz.runs.schema import Run, RunVerdict
from dbz.runs.storage.reading import read_record
from tests.runs.builder import BUDGETS, Scene, build_run

SHORT = {"seconds": 6, "warmup_s": 2}


def concluded(tmp_path: Path, scene: Scene, **more: object) -> Run:
    return build_run(tmp_path, scene, **more).load()  # type: ignore[arg-type]


def test_a_run_that_keeps_its_budgets_passes(tmp_path: Path) -> None:
    run = concluded(tmp_path, Scene(**SHORT))
    assert (run.verdict, run.reasons) == (RunVerdict.PASS, [])
    assert (run.users_held, run.duration_s, run.window.start_s, run.window.end_s) == (500, 6, 2, 6)
    assert {budget.verdict for budget in run.budgets} == {"pass", "inconclusive", "not measured"}


def test_a_broken_budget_fails_the_run_and_is_the_reason(tmp_path: Path) -> None:
    run = concluded(tmp_path, Scene(**SHORT, slow={"chat": 8}))
    assert run.verdict is RunVerdict.FAIL
    (reason,) = run.reasons
    assert reason.startswith('chat_message_latency: p95 of delivery{event="chat"} is ')
    (broken,) = (budget for budget in run.budgets if budget.verdict == "broken")
    assert (broken.name, broken.reason) == ("chat_message_latency", reason)
    assert broken.value is not None and broken.value > broken.limit == 100


def test_the_warm_up_is_not_judged(tmp_path: Path) -> None:
    budget = parse_budget("users", "users.held", "min", ">= 500")
    assert concluded(tmp_path, Scene(**SHORT), budgets=[budget]).verdict is RunVerdict.PASS


def test_failures_break_the_error_rate_and_are_grouped(tmp_path: Path) -> None:
    run = concluded(tmp_path, Scene(**SHORT, failing={"GET /api/posts": 0.2}))
    assert run.verdict is RunVerdict.FAIL
    assert {reason.partition(":")[0] for reason in run.reasons} >= {"error_rate"}
    (group,) = run.errors
    assert (group.operation, group.error) == ("GET /api/posts", "HTTP 503 Service Unavailable")
    assert group.count >= sum(operation.errors for operation in run.operations) > 0


def test_a_percentile_on_failures_is_null_in_the_file_and_said_in_the_reason(tmp_path: Path) -> None:
    run = concluded(tmp_path, Scene(**SHORT, failing={"GET /api/posts": 1.0}))
    (broken,) = (budget for budget in run.budgets if budget.name == "api_response_time")
    assert (broken.value, broken.verdict) == (None, "broken")
    assert "falls on failed attempts" in broken.reason


def test_not_measured_does_not_fail_unless_required(tmp_path: Path) -> None:
    optional = parse_budget("mobile", "import.mobile_cpu", "mean", "< 30%")
    required = parse_budget("mobile", "import.mobile_cpu", "mean", "< 30%", required=True)
    folder = build_run(tmp_path, Scene(**SHORT))
    record = read_record(folder)
    assert conclude(folder.load(), record, [optional, *BUDGETS]).verdict is RunVerdict.PASS
    run = conclude(folder.load(), record, [required])
    assert (run.verdict, run.reasons) == (RunVerdict.FAIL, ["mobile: required, but import.mobile_cpu was not measured"])
    assert run.budgets[0].verdict == "not measured"


@pytest.mark.parametrize(
    ("scene", "lost_workers", "says"),
    [
        (Scene(**SHORT, traffic=()), 0, "nothing was measured"),
        (Scene(**SHORT), 1, "1 load generator worker"),
        (Scene(**SHORT, cpu_percent=110), 0, "the load generator was saturated"),
        (Scene(**SHORT, lag_ms=60), 0, "too much to judge game_score_update < 50 ms"),
        (Scene(**SHORT, gc_ms=40), 0, "to collect garbage (4.0 % of the time), too much to judge game_score_update"),
    ],
)
def test_a_measurement_that_cannot_be_trusted_is_invalid(
    tmp_path: Path, scene: Scene, lost_workers: int, says: str
) -> None:
    run = concluded(tmp_path, scene, lost_workers=lost_workers)
    assert run.verdict is RunVerdict.INVALID
    assert says in run.reasons[0]


def test_rare_collections_do_not_reach_a_percentile(tmp_path: Path) -> None:
    run = concluded(tmp_path, Scene(**SHORT, gc_ms=9))
    assert run.verdict is RunVerdict.PASS
    assert run.generator is not None and run.generator.gc_ms_max == pytest.approx(9, rel=0.01)


def test_a_profile_may_allow_workers_to_be_lost(tmp_path: Path) -> None:
    folder = build_run(tmp_path, Scene(**SHORT))
    allowing = folder.load().model_copy(update={"profile": {"lost_workers": 1}})
    verdicts = [conclude(allowing, read_record(folder), BUDGETS, lost_workers=lost).verdict for lost in (1, 2)]
    assert verdicts == [RunVerdict.PASS, RunVerdict.INVALID]


def test_an_invalid_run_still_names_its_broken_budgets(tmp_path: Path) -> None:
    run = concluded(tmp_path, Scene(**SHORT, slow={"chat": 8}), lost_workers=1)
    assert run.verdict is RunVerdict.INVALID
    assert [reason.partition(":")[0] for reason in run.reasons[1:]] == ["chat_message_latency"]


def test_an_interrupted_run_is_judged_on_what_was_measured(tmp_path: Path) -> None:
    run = concluded(tmp_path, Scene(**SHORT, slow={"chat": 8}), interrupted=True)
    assert run.verdict is RunVerdict.INTERRUPTED
    assert run.operations and len(run.reasons) == 1


def test_a_run_that_ended_in_its_warm_up_measured_nothing(tmp_path: Path) -> None:
    folder = Scene(**SHORT).write(tmp_path)
    folder.marks.unlink()
    run = conclude(folder.load(), read_record(folder), BUDGETS)
    assert run.verdict is RunVerdict.INVALID
    assert {budget.verdict for budget in run.budgets} == {"not measured"}


def test_every_verdict_has_its_exit_code() -> None:
    assert set(EXIT_CODES) == set(RunVerdict)
    assert EXIT_CODES[RunVerdict.FAIL] is ExitCode.BROKEN
    assert EXIT_CODES[RunVerdict.INVALID] is ExitCode.INVALID
    assert EXIT_CODES[RunVerdict.INTERRUPTED] is ExitCode.INTERRUPTED
    assert [verdict for verdict, code in EXIT_CODES.items() if code is ExitCode.OK] == [RunVerdict.PASS]
