"""Writing all reports of a run into its folder."""

from __future__ import annotations

from pathlib import Path

from dbz.errors import UsageError
from dbz.report.ci.bencher import render_bencher
from dbz.report.ci.junit import render_junit
from dbz.report.ci.markdown import render_markdown
from dbz.report.ci.operations_csv import render_csv
from dbz.report.html.page import render_html
from dbz.report.opening import open_run
from dbz.runs.folder import RunFolder
from dbz.runs.schema import Run
from dbz.runs.timeline import Timeline, timeline

HTML_FILE = "report.html"


def write_reports(folder: RunFolder) -> list[Path]:
    """Make the page, `junit.xml`, `summary.md`, `operations.csv` and `bencher.json` from the record alone; their paths.

    `UsageError` when the folder holds no run or cannot be written to.
    """
    run, record = open_run(folder)
    texts = {
        HTML_FILE: render_html(run, record),
        "junit.xml": render_junit(run),
        "summary.md": render_markdown(run, timeline(record)),
        "operations.csv": render_csv(run),
        "bencher.json": render_bencher(run),
    }
    return [_write(folder.path / name, text) for name, text in texts.items()]


def summary_of(run: Run) -> str:
    """The Markdown summary of a run that has no record."""
    return render_markdown(run, Timeline())


def write_verdicts(run: Run, folder: Path) -> list[Path]:
    """Make `verdict.json`, `junit.xml` and `summary.md` of a run that has no record; their paths.

    `UsageError` when the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}", hint="choose another --out") from error
    texts = {
        "verdict.json": run.to_json() + "\n",
        "bencher.json": render_bencher(run),
        "junit.xml": render_junit(run),
        "summary.md": summary_of(run),
    }
    return [_write(folder / name, text) for name, text in texts.items()]


def _write(path: Path, text: str) -> Path:
    try:
        path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        hint = "copy the run to a folder that you can write to"
        raise UsageError(f"cannot write {path}: {error.strerror}", hint=hint) from error
    return path
