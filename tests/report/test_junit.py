"""JUnit: one case a budget, and an invalid run is an error."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from dbz.measure.budget.budgets import parse_budget
from dbz.report.ci.junit import VALIDITY_CASE, render_junit
from dbz.runs.schema import Run, RunVerdict
from dbz.runs.storage.folder import RunFolder
from tests.report.hostile import hostile_run
from tests.runs.builder import Scene, build_run


def outcomes(run: Run) -> dict[str, str]:
    suite = ElementTree.fromstring(render_junit(run))
    return {
        case.get("name", ""): next((part.tag for part in case if part.tag != "system-out"), "passed") for case in suite
    }


def test_there_is_one_case_a_budget_and_one_for_validity(broken: RunFolder) -> None:
    run = broken.load()
    assert list(outcomes(run)) == [VALIDITY_CASE, *(budget.name for budget in run.budgets)]


def test_broken_budgets_fail_with_their_sentence(broken: RunFolder) -> None:
    run = broken.load()
    suite = ElementTree.fromstring(render_junit(run))
    messages = [failure.get("message") for failure in suite.iter("failure")]
    assert messages == [budget.reason for budget in run.budgets if budget.verdict == "broken"]
    assert suite.get("failures") == str(len(messages)) and messages


def test_not_measured_is_skipped_and_never_passed(broken: RunFolder) -> None:
    found = outcomes(broken.load())
    assert (found["mobile_cpu_usage"], found["uptime"]) == ("skipped", "passed")


def test_a_required_budget_that_was_not_measured_fails(tmp_path: Path) -> None:
    budget = parse_budget("mobile", "import.mobile_cpu", "mean", "< 30%", required=True)
    run = build_run(tmp_path, Scene(seconds=4, warmup_s=1), budgets=[budget]).load()
    assert outcomes(run) == {VALIDITY_CASE: "passed", "mobile": "failure"}


@pytest.mark.parametrize("verdict", [RunVerdict.INVALID, RunVerdict.INTERRUPTED, RunVerdict.RUNNING])
def test_a_run_that_cannot_be_trusted_is_an_error_and_nothing_in_it_passes(
    passed: RunFolder, verdict: RunVerdict
) -> None:
    found = outcomes(passed.load().model_copy(update={"verdict": verdict, "reasons": ["the generator was saturated"]}))
    assert found.pop(VALIDITY_CASE) == "error"
    assert set(found.values()) == {"skipped"}


def test_counts_agree_with_the_cases(broken: RunFolder) -> None:
    suite = ElementTree.fromstring(render_junit(broken.load()))
    assert suite.get("tests") == str(len(list(suite.iter("testcase"))))
    assert suite.get("skipped") == str(len(list(suite.iter("skipped"))))


def test_characters_that_xml_forbids_do_not_break_the_file(tmp_path: Path) -> None:
    assert ElementTree.fromstring(render_junit(hostile_run(tmp_path).load())).get("errors") == "0"
