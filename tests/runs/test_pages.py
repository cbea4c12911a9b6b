"""Visits of pages in a record: which part of a run they are of, what is made of them, and what makes a run invalid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.measure.budget.budgets import parse_budget
from dbz.measure.budget.by_page import for_pages
from dbz.report import write_reports
from dbz.runs.conclude import conclude
from dbz.runs.schema import Run, RunVerdict, Window
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.part import part_of
from dbz.runs.storage.reading import read_record
from dbz.runs.storage.sound_lines import VISIT, is_sound
from tests.runs.builder import Scene

BUDGETS = for_pages([parse_budget("load", "composite{name=screen}", "p95", "< 2s", instead="p50 of page")], ["/club"])


def loaded(at_s: float, load_ms: float, **more: Any) -> dict[str, Any]:
    line = {"t": at_s, "page": "/club", "browser": "Chrome/1", "took_ms": load_ms + 500, "load_ms": load_ms}
    return {**line, "cpu_share": 0.25, "lcp_ms": load_ms, "bytes": 1000, "requests": 3, **more}


def failed(at_s: float, error: str) -> dict[str, Any]:
    return {"t": at_s, "page": "/club", "browser": "Chrome/1", "took_ms": 30.0, "error": error}


def concluded(folder: Path, visits: Sequence[Any], pages: Sequence[str] = ("/club",)) -> tuple[Run, RunFolder]:
    """A run of 30 s, of which the first 5 s are not judged, with these lines of pages."""
    found = Scene(seconds=30, warmup_s=5).write(folder)
    found.pages.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in visits))
    run = found.load()
    run = run.model_copy(update={"profile": {**run.profile, "pages": [{"url": url} for url in pages]}})
    run = conclude(run, read_record(found), BUDGETS)
    found.save(run)
    return run, found


def test_a_visit_is_of_the_second_in_which_it_began(tmp_path):
    late = [loaded(29.9, 9000), loaded(30.1, 1)]
    run, _ = concluded(tmp_path, [loaded(2, 1), loaded(4.9, 1), loaded(5.1, 100), loaded(12, 300), *late])
    (page,) = run.pages
    assert (page.visits, page.load_ms, page.load_max_ms) == (3, 300, 9000)
    assert run.browser is not None and (run.browser.version, run.browser.cpu_percent) == ("Chrome/1", 25)
    (verdict,) = run.budgets
    assert (verdict.name, verdict.samples, verdict.value) == ("load /club", 3, pytest.approx(300, rel=0.002))
    assert run.verdict is RunVerdict.PASS


def test_failed_visits_are_errors_and_worse_than_all_others(tmp_path):
    run, folder = concluded(tmp_path, [loaded(6, 100), failed(8, "HTTP 500"), failed(9, "HTTP 500")])
    assert run.verdict is RunVerdict.FAIL and "falls on failed attempts" in run.reasons[0]
    (group,) = (one for one in run.errors if one.kind == "page")
    assert (group.operation, group.error, group.count) == ("/club", "HTTP 500", 2)
    (page,) = run.pages
    assert (page.visits, page.failed, page.load_ms, page.errors) == (3, 2, 100, ["HTTP 500"])
    write_reports(folder)
    assert "HTTP 500" in (folder.path / "report.html").read_text()


def test_what_pages_ask_elsewhere_is_named_and_cannot_break_out_of_a_report(tmp_path):
    hostile = "<script>alert(1)</script>|`@all`"
    run, folder = concluded(tmp_path, [loaded(6, 100, blocked=["cdn.example"], problems=[hostile], clicked=hostile)])
    (note,) = (one for one in run.notes if one.startswith("page /club: "))
    assert "it asks cdn.example, which was blocked" in note and "--allow-target HOST" in note
    write_reports(folder)
    assert hostile not in (folder.path / "report.html").read_text() + (folder.path / "summary.md").read_text()


def test_a_run_whose_pages_were_not_measured_is_invalid(tmp_path):
    run, _ = concluded(tmp_path / "early", [loaded(1, 100)], ["/club", "/games"])
    assert run.verdict is RunVerdict.INVALID
    assert [reason.partition(" was")[0] for reason in run.reasons if "was not opened" in reason] == [
        "page /club",
        "page /games",
    ]
    lost, _ = concluded(tmp_path / "lost", [loaded(6, 100), {"t": 9, "trouble": "the browser has ended"}])
    assert lost.verdict is RunVerdict.INVALID
    assert "pages were not measured to the end: the browser has ended" in lost.reasons


def test_damaged_lines_are_counted_and_left_out(tmp_path):
    damaged = ['{"t": 7, "page": "/club"', '{"t": 7, "page": "/club"}', '{"t": 7, "page": "/club", "load_ms": "x"}']
    run, folder = concluded(tmp_path, [loaded(6, 100), *damaged])
    record = read_record(folder)
    assert (record.damaged_lines, len(record.pages)) == (3, 1)
    assert run.pages[0].visits == 1


def test_a_stretch_of_a_run_has_its_own_visits(tmp_path):
    _, folder = concluded(tmp_path, [loaded(6, 100), loaded(12, 300)])
    part = part_of(read_record(folder), Window(start_s=10, end_s=20))
    assert [line["t"] for line in part.pages] == [12]
    assert [one.start_s for one in part.intervals if one.series.kind == "page"] == [12]


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@given(st.dictionaries(st.sampled_from([*loaded(1, 1), "error", "problems", "blocked", "trouble", "inp_ms"]), _JSON))
def test_whatever_counts_as_a_visit_can_be_judged(tmp_path_factory, changed):
    line = {**loaded(6, 100), **changed}
    if is_sound(line, VISIT):
        run, _ = concluded(tmp_path_factory.mktemp("run"), [line], [])
        assert run.verdict is not RunVerdict.RUNNING
