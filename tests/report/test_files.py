"""All reports of a run, made from its record alone."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from dbz.errors import UsageError
from dbz.report import open_conclusion, open_run, write_reports
from dbz.report.ci.operations_csv import COLUMNS, render_csv
from dbz.runs.conclude import unjudged
from dbz.runs.schema import RunVerdict
from dbz.runs.storage.folder import RunFolder
from tests.report.hostile import hostile_run
from tests.runs.builder import BUDGETS, Scene

NAMES = ["report.html", "junit.xml", "summary.md", "operations.csv", "bencher.json"]


def test_all_reports_are_made_and_making_them_again_changes_nothing(copies: RunFolder) -> None:
    paths = write_reports(copies)
    assert [path.name for path in paths] == NAMES
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_reports(copies)] == first
    assert all(first)


def test_reports_do_not_touch_the_record(copies: RunFolder) -> None:
    before = {path.name: path.read_bytes() for path in copies.path.iterdir()}
    write_reports(copies)
    assert {name: (copies.path / name).read_bytes() for name in before} == before


def test_a_run_whose_dbz_was_killed_is_judged_from_its_record(tmp_path: Path) -> None:
    folder = Scene(seconds=8, warmup_s=2, slow={"chat": 8}).write(tmp_path)
    folder.save(folder.load().model_copy(update={"budgets": unjudged(BUDGETS)}))
    with (folder.path / "worker-0.jsonl").open("ab") as file:
        file.write(b'{"t": 9.0, "us')
    run, _ = open_run(folder)
    assert run.verdict is RunVerdict.RUNNING
    assert [budget.name for budget in run.budgets if budget.verdict == "broken"] == ["chat_message_latency"]
    assert run.operations
    assert "UNFINISHED" in write_reports(folder)[0].read_text()


def test_a_conclusion_is_shown_without_the_record_that_it_comes_from(copies: RunFolder) -> None:
    whole, _ = open_run(copies)
    for path in (*copies.worker_logs(), *copies.worker_lines()):
        path.unlink()
    assert open_conclusion(copies) == whole


def test_what_a_killed_run_came_to_is_the_same_with_and_without_its_record(tmp_path: Path) -> None:
    folder = Scene(seconds=8, warmup_s=2).write(tmp_path)
    folder.save(folder.load().model_copy(update={"budgets": unjudged(BUDGETS)}))
    assert open_conclusion(folder) == open_run(folder)[0]
    assert open_conclusion(folder).operations


def test_a_killed_run_of_an_older_dbz_is_judged_too(tmp_path: Path) -> None:
    folder = Scene(seconds=8, warmup_s=2, slow={"chat": 8}).write(tmp_path)
    older = [budget.model_copy(update={"terms": {}}) for budget in unjudged(BUDGETS)]
    folder.save(folder.load().model_copy(update={"budgets": older}))
    assert [one.name for one in open_run(folder)[0].budgets if one.verdict == "broken"] == ["chat_message_latency"]


def test_a_run_that_measured_nothing_still_has_reports(tmp_path: Path) -> None:
    folder = Scene(seconds=0, workers=1, server=False).write(tmp_path)
    assert [path.name for path in write_reports(folder)] == NAMES


def test_hostile_names_do_not_stop_any_report(tmp_path: Path) -> None:
    assert all(path.stat().st_size for path in write_reports(hostile_run(tmp_path)))


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a run"):
        write_reports(RunFolder(tmp_path))


def test_a_report_that_cannot_be_written_is_one_clear_error(copies: RunFolder) -> None:
    (copies.path / "junit.xml").mkdir()
    with pytest.raises(UsageError, match=r"cannot write .*junit.xml: Is a directory") as refused:
        write_reports(copies)
    assert "copy the run" in refused.value.hint


def test_the_csv_has_one_row_an_operation_with_its_figures(broken: RunFolder) -> None:
    run = broken.load()
    rows = list(csv.DictReader(io.StringIO(render_csv(run))))
    assert [row["operation"] for row in rows] == [operation.name for operation in run.operations]
    posts = next(row for row in rows if row["operation"] == "GET /api/posts")
    assert tuple(posts) == COLUMNS
    assert posts["p95_ms"] == "" and float(posts["p50_ms"]) > 0
    assert float(posts["error_rate"]) == pytest.approx(int(posts["errors"]) / int(posts["count"]), abs=1e-6)


def test_no_name_in_the_csv_is_a_formula(broken: RunFolder) -> None:
    run = broken.load()
    evil = run.operations[0].model_copy(update={"name": '=HYPERLINK("x")\n,'})
    rows = list(csv.DictReader(io.StringIO(render_csv(run.model_copy(update={"operations": [evil]})))))
    assert rows[0]["operation"] == '\'=HYPERLINK("x")\n,'
