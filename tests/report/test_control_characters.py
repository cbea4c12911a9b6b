"""Names and errors with anything in them steer no terminal, begin no formula, and break no file."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from dbz.cli.main import run as run_command
from dbz.report.ci.junit import render_junit
from dbz.report.ci.markdown import render_markdown
from dbz.report.ci.operations_csv import render_csv
from dbz.report.html.sections import errors, operations
from dbz.report.terminal.console import make_console
from dbz.report.terminal.run.summary import print_summary
from dbz.runs.schema import ErrorGroup, Run
from dbz.runs.storage.folder import RunFolder
from dbz.runs.timeline import Timeline

STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
EVIL = st.text(
    st.sampled_from("\x00\x07\x08\t\r\n\x1b\x9b\x7f\u202e\u2028\ud800=+-@|`<>&\"'ab[]2J;"), min_size=1, max_size=30
)


def named(run: Run, name: str) -> Run:
    (first, *_) = run.operations
    group = ErrorGroup(kind="http", operation=name, error=name, count=1, first_s=1, last_s=1)
    return run.model_copy(
        update={"operations": [first.model_copy(update={"name": name})], "errors": [group], "reasons": [name]}
    )


@given(EVIL)
def test_no_name_steers_a_terminal(passed: RunFolder, name: str) -> None:
    stream = io.StringIO()
    print_summary(named(passed.load(), name), Path("report.html"), make_console(stream, width=100))
    assert not STEERING.search(stream.getvalue())


@given(EVIL)
def test_no_name_is_a_formula_or_a_row_of_its_own(passed: RunFolder, name: str) -> None:
    (row,) = csv.DictReader(io.StringIO(render_csv(named(passed.load(), name))))
    assert not re.match(r"\s*[=+\-@]", row["operation"]) and not STEERING.search(row["operation"])


@given(EVIL)
def test_no_name_breaks_xml_html_or_a_table(passed: RunFolder, name: str) -> None:
    run = named(passed.load(), name)
    ElementTree.fromstring(render_junit(run).encode(errors="replace"))
    for part in (operations(run), errors(run)):
        assert not re.search(r"<(?!/?(section|h2|div|table|thead|tbody|tr|th|td|button|p|small)\b)", part)
    rows = [line for line in render_markdown(run, Timeline()).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} <= {6, 9, 4} and not STEERING.search("".join(rows))


def test_a_message_about_an_argument_steers_no_terminal(capsys) -> None:  # type: ignore[no-untyped-def]
    assert run_command(["load", "\x1b[2J\x9b31mevil.yaml"]) == 2
    assert not STEERING.search(capsys.readouterr().err)
