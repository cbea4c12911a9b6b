"""What stands where on the page, and how long names and long tables are shown."""

from __future__ import annotations

from dbz.report.html.page import render_html
from dbz.report.html.sections import SHOWN_OPERATIONS
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import read_record


def test_operations_and_errors_stand_above_the_charts(broken: RunFolder) -> None:
    page = render_html(broken.load(), read_record(broken))
    places = [page.index(f'id="{name}"') for name in ("budgets", "operations", "errors-table", "timeline", "details")]
    assert places == sorted(places)


def test_a_long_table_is_folded_and_complete(passed: RunFolder) -> None:
    run = passed.load()
    (first, *_) = run.operations
    many = [first.model_copy(update={"name": f"op {at}"}) for at in range(SHOWN_OPERATIONS + 23)]
    page = render_html(run.model_copy(update={"operations": many}), read_record(passed))
    assert "23 more operations" in page
    assert all(f'data-detail="{first.kind} op {at}"' in page for at in range(SHOWN_OPERATIONS + 23))
