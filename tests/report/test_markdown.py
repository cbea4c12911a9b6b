"""The summary for a pull request: verdict, table, sparkline, and no way to break out of it."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.measure.compare.terms import ComparisonTerms
from dbz.report.ci.markdown import escape, render_markdown
from dbz.report.opening import open_run
from dbz.report.sparkline import sparkline
from dbz.runs.compare.findings import compare_sides
from dbz.runs.compare.sides import Side
from dbz.runs.storage.folder import RunFolder
from dbz.runs.timeline import Timeline, timeline
from tests.report.hostile import hostile_run


def render(folder: RunFolder) -> str:
    run, record = open_run(folder)
    return render_markdown(run, timeline(record))


def test_it_opens_with_the_verdict_and_why(broken: RunFolder) -> None:
    lines = unescape(render(broken)).splitlines()
    assert lines[0] == "## ❌ FAIL: dbz load mixed"
    assert lines[2] == "3 of 11 measured budgets are broken; 1 is not sure; 4 were not measured."
    assert lines[4] == "- api_response_time: p95 of http falls on failed attempts, limit < 500 ms"
    assert lines[5].startswith('- chat_message_latency: p95 of delivery{event="chat"} is ')


def test_broken_budgets_come_first_and_unmeasured_ones_are_named(broken: RunFolder) -> None:
    text = render(broken)
    marks = [line[2] for line in text.splitlines() if line.startswith(("| ❌", "| ❔", "| ✅"))]
    assert marks == ["❌"] * 3 + ["❔"] + ["✅"] * 7
    assert "Not measured: page_load_time, notification_delivery, mobile_memory_usage, mobile_cpu_usage." in text


def test_a_passed_run_is_green(passed: RunFolder) -> None:
    text = render(passed)
    assert text.startswith("## ✅ PASS") and "❌" not in text


def test_hostile_texts_keep_their_cells(tmp_path: Path) -> None:
    text = render(hostile_run(tmp_path))
    assert not re.findall(r"<(?!/?(details|summary)>)", text)
    assert "@" not in text and "\x1b" not in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


@given(st.text())
def test_escaped_text_has_no_markup_and_reads_the_same(text: str) -> None:
    shown = escape(text)
    assert not set(shown) & set("<>|`*[]@~\\\n\r!$^\"'")
    printable = "".join(char if char.isprintable() or char.isalnum() else " " for char in text)
    assert unescape(shown) == printable


def test_a_word_with_underscores_stays_readable() -> None:
    assert escape("api_response_time") == "api_response_time"
    assert escape("_x_") == "&#95;x&#95;"


@pytest.mark.parametrize(
    ("values", "shown"),
    [([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"), ([5, None, 5], "█ █"), ([0, 0], "▁▁"), ([], ""), ([None], " ")],
)
def test_a_sparkline_has_one_block_a_value(values: list[float | None], shown: str) -> None:
    assert sparkline(values) == shown


@given(st.lists(st.none() | st.floats(0, 1e9), max_size=500))
def test_a_sparkline_is_never_wide(values: list[float | None]) -> None:
    assert len(sparkline(values)) <= 40


def test_a_comparison_with_a_baseline_is_a_table_of_what_changed(passed: RunFolder, broken: RunFolder) -> None:
    comparison = compare_sides(Side([passed]), Side([broken]), ComparisonTerms())
    run = broken.load().model_copy(update={"comparison": comparison})
    text = unescape(render_markdown(run, Timeline()))
    assert "Against the baseline: 2 operations became worse (1 run against 1)." in text
    row = next(line for line in text.splitlines() if line.startswith("| ❌ delivery chat (p50)"))
    assert row.count("|") == 7 and "%" in row
    assert "became worse than in the baseline" in text.splitlines()[2]
