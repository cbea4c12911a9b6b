"""What machines read: JSON Schemas, Bencher's format, and the words of GitHub Actions."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import jsonschema
import pytest

from dbz.errors import UsageError
from dbz.measure.compare.terms import ComparisonTerms
from dbz.report.ci.bencher import render_bencher
from dbz.report.ci.github import tell_github, workflow_commands
from dbz.report.schemas import MODELS, schema_text
from dbz.runs.compare.findings import compare_sides
from dbz.runs.compare.sides import Side
from dbz.runs.schema import RunVerdict
from dbz.runs.storage.folder import RunFolder
from tests.report.hostile import hostile_run

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def valid(name: str, text: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(text))


def test_runs_and_comparisons_are_as_their_published_schemas_say(
    passed: RunFolder, broken: RunFolder, tmp_path: Path
) -> None:
    for folder in (passed, broken, hostile_run(tmp_path)):
        valid("run", folder.load().to_json())
    comparison = compare_sides(Side([passed]), Side([broken]), ComparisonTerms())
    valid("comparison", comparison.to_json())
    valid("run", passed.load().model_copy(update={"comparison": comparison}).to_json())


def test_a_file_of_another_kind_is_not_valid(passed: RunFolder) -> None:
    text = passed.load().to_json()
    with pytest.raises(jsonschema.ValidationError):
        valid("comparison", text)
    with pytest.raises(jsonschema.ValidationError):
        valid("run", text.replace("dbz.run/1", "dbz.run/2"))


@pytest.mark.parametrize("name", MODELS)
def test_the_published_schemas_are_what_the_command_prints(name: str) -> None:
    assert (SCHEMAS / f"{name}.schema.json").read_text() == schema_text(name)


def test_an_unknown_schema_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="known: run, comparison, trend, capacity, monitor-report"):
        schema_text("runs")


def test_bencher_gets_every_operation_and_budget_with_its_interval(broken: RunFolder) -> None:
    rows, run = json.loads(render_bencher(broken.load())), broken.load()
    assert {f"{one.kind} {one.name}" for one in run.operations} <= set(rows)
    for measures in rows.values():
        for figures in measures.values():
            assert {"value"} <= set(figures) <= {"value", "lower_value", "upper_value"}
            assert all(isinstance(figure, int | float) for figure in figures.values())
    chat = rows["budget chat_message_latency"]["p95"]
    assert chat["lower_value"] < chat["value"] < chat["upper_value"]
    assert "latency_p95_ms" not in rows["http GET /api/posts"]  # it fell on failed attempts


def told(run: object, tmp_path: Path, **environment: str) -> tuple[str, str]:
    summary, stream = tmp_path / "summary.md", io.StringIO()
    known = {"GITHUB_STEP_SUMMARY": str(summary), **environment}
    tell_github(run, "## report\n", known, stream)  # type: ignore[arg-type]
    return stream.getvalue(), summary.read_text() if summary.exists() else ""


def test_github_gets_an_error_for_each_reason_and_the_summary(broken: RunFolder, tmp_path: Path) -> None:
    run = broken.load()
    lines, summary = told(run, tmp_path, GITHUB_ACTIONS="true")
    errors = [line for line in lines.splitlines() if line.startswith("::error title=dbz FAIL::")]
    assert len(errors) == len(run.reasons) and "chat_message_latency" in lines
    assert summary == "## report\n\n"


def test_outside_github_nothing_is_said(broken: RunFolder, tmp_path: Path) -> None:
    assert told(broken.load(), tmp_path) == ("", "")


def test_a_run_that_passed_gets_no_error(passed: RunFolder) -> None:
    assert not [line for line in workflow_commands(passed.load()) if line.startswith("::error")]


def test_what_comes_from_outside_cannot_begin_another_command(tmp_path: Path) -> None:
    run = (
        hostile_run(tmp_path)
        .load()
        .model_copy(
            update={"reasons": ["a\n::set-output name=x::y%0A", "b\r::stop-commands::z"], "verdict": RunVerdict.FAIL}
        )
    )
    for line in workflow_commands(run):
        assert "\n" not in line and "\r" not in line
        assert re.match(r"::(error|warning|notice) title=[^:,]*::", line)
    assert "%250A" in workflow_commands(run)[0]


def test_a_summary_that_cannot_be_written_is_one_clear_error(broken: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write GITHUB_STEP_SUMMARY"):
        told(broken.load(), tmp_path, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path))
