"""The folder that runs are written to: explained where people look, and never in the way."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from dbz.report.schemas import MODELS
from dbz.runs.storage import folder

ROOT = Path(__file__).parents[2]
README = ROOT / "reports" / "README.md"


def test_every_file_that_a_run_writes_is_explained() -> None:
    written = set(re.findall(r"[\w<>.-]+\.(?:json|jsonl|hlog|html|xml|md|csv)\b|logs/", folder.__doc__ or ""))
    text = README.read_text()
    assert len(written) > 10
    assert not {name for name in written if f"`{name}`" not in text}


def test_the_schema_of_each_json_file_is_linked_and_there() -> None:
    linked = set(re.findall(r"\((\.\./docs/schemas/[\w.-]+)\)", README.read_text()))
    assert linked == {f"../docs/schemas/{name}.schema.json" for name in MODELS}
    assert all((README.parent / path).is_file() for path in linked)


def test_runs_are_ignored_and_the_explanation_is_not() -> None:
    def ignored(path: str) -> bool:
        return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0

    assert ignored("reports/20260101T000000Z-smoke-abcd/run.json") and not ignored("reports/README.md")


def test_the_explanation_is_no_run() -> None:
    assert README not in {run.path for run in folder.list_runs(README.parent)}
