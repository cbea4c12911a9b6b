"""Thousands of names, long names and many runs: reports stay within the limits of who shows them, and say so."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.report.ci.github import MAX_SUMMARY_BYTES, tell_github, workflow_commands
from dbz.report.ci.junit import render_junit
from dbz.report.ci.markdown import MAX_BYTES, render_markdown
from dbz.report.words.names import joined_names, names_advice
from dbz.runs.schema import Run, RunVerdict
from dbz.runs.storage.folder import RunFolder
from dbz.runs.timeline import Timeline


def with_names(run: Run, names: list[str]) -> Run:
    (first, *_) = run.operations
    return run.model_copy(
        update={"operations": [first.model_copy(update={"name": name, "kind": "http"}) for name in names]}
    )


@pytest.mark.parametrize(
    ("names", "common"),
    [
        ([f"GET /posts/{at}" for at in range(3000)], "GET /posts/{id}"),
        (
            [f"GET /clubs/{at % 7}/posts/{at}?page={at % 3}" for at in range(500)],
            "GET /clubs/{id}/posts/{id}?page={id}",
        ),
        ([f"GET /users/user{at:04d}/inbox" for at in range(100)], "GET /users/{id}/inbox"),
        ([f"PUT /f/{at:032x}" for at in range(100)], "PUT /f/{id}"),
        ([f"GET /u/{first}{last}" for first in "abcdefgh" for last in ("nna", "eta", "ob")], "GET /u/{id}"),
        ([f"GET /search?q={a}{b}" for a in "abcdef" for b in ("ut", "og", "at", "in")], "GET /search?q={id}"),
    ],
)
def test_names_that_differ_in_an_id_are_told_with_the_one_that_joins_them(
    passed: RunFolder, names: list[str], common: str
) -> None:
    run = with_names(passed.load(), names)
    (found,) = joined_names(run)
    assert (found.name, found.count) == (common, len(set(names)))
    assert f'name="{common.partition(" ")[2]}"' in names_advice(run)[0]


def test_good_names_are_left_alone(passed: RunFolder, broken: RunFolder) -> None:
    for run in (passed.load(), broken.load()):
        assert joined_names(run) == []
    assert joined_names(with_names(passed.load(), [f"GET /api/v{at}" for at in range(1, 6)])) == []


def told(run: Run, summary: Path) -> bytes:
    text = render_markdown(run, Timeline())
    tell_github(run, text, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}, io.StringIO())
    return summary.read_bytes()


def test_the_summary_of_thousands_of_names_fits_and_says_what_it_left_out(passed: RunFolder, tmp_path: Path) -> None:
    run = with_names(passed.load(), [f"GET /posts/{at}/{'x' * 200}" for at in range(5000)])
    text = told(run, tmp_path / "summary.md").decode()
    assert len(text.encode()) < MAX_BYTES + 10 and "4,900 more operations" in text and "PASS" in text


def test_summaries_of_many_runs_in_one_step_stay_within_githubs_limit(passed: RunFolder, tmp_path: Path) -> None:
    run = with_names(passed.load(), [f"GET /{at}/{'é' * 150}" for at in range(100)])
    for _ in range(60):
        size = len(told(run, tmp_path / "summary.md"))
    assert size <= MAX_SUMMARY_BYTES and b"no room" in (tmp_path / "summary.md").read_bytes()


@given(st.lists(st.text(max_size=3000), max_size=60), st.lists(st.text(max_size=3000), max_size=60))
def test_no_names_and_reasons_break_the_limits(passed: RunFolder, names: list[str], reasons: list[str]) -> None:
    run = with_names(passed.load(), names).model_copy(update={"reasons": reasons, "verdict": RunVerdict.FAIL})
    assert len(render_markdown(run, Timeline()).encode(errors="replace")) <= MAX_BYTES
    for kind in ("error", "warning", "notice"):
        lines = [line for line in workflow_commands(run) if line.startswith(f"::{kind} ")]
        assert len(lines) <= 10 and all(len(line.encode(errors="replace")) < 65_536 for line in lines)
    suite = ElementTree.fromstring(render_junit(run))
    names_of_cases = [case.get("name") for case in suite.iter("testcase")]
    assert len(set(names_of_cases)) == len(names_of_cases)
    if reasons:
        assert int(suite.get("failures", 0)) >= len(set(reasons))


def test_more_reasons_than_github_shows_are_counted(passed: RunFolder) -> None:
    run = passed.load().model_copy(update={"reasons": [f"r{at}" for at in range(25)], "verdict": RunVerdict.FAIL})
    errors = [line for line in workflow_commands(run) if line.startswith("::error")]
    assert len(errors) == 10 and "and 16 more" in errors[-1]


def test_runs_of_one_command_have_names_of_their_own(passed: RunFolder) -> None:
    run = passed.load()
    names = {
        ElementTree.fromstring(render_junit(run.model_copy(update={"repetition": f"{at} of 3"}))).get("name")
        for at in (1, 2, 3)
    }
    assert len(names) == 3


@pytest.mark.parametrize("verdict", list(RunVerdict))
@pytest.mark.parametrize("reasons", [[], ["the target was too slow: 5 arrivals"]])
def test_the_file_fails_exactly_when_the_run_does(passed: RunFolder, verdict: RunVerdict, reasons: list[str]) -> None:
    if (verdict is RunVerdict.PASS and reasons) or (verdict is RunVerdict.FAIL and not reasons):
        return  # there is no such run
    suite = ElementTree.fromstring(
        render_junit(passed.load().model_copy(update={"verdict": verdict, "reasons": reasons}))
    )
    assert (suite.get("failures") != "0") == (verdict is RunVerdict.FAIL)
    assert (suite.get("errors") != "0") == (verdict not in (RunVerdict.PASS, RunVerdict.FAIL))
