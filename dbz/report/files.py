"""Writing all reports of a run into its folder."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dbz.errors import UsageError
from dbz.report.ci.bencher import render_bencher
from dbz.report.ci.junit import render_junit
from dbz.report.ci.markdown import render_markdown
from dbz.report.ci.operations_csv import render_csv
from dbz.report.html.page import render_html
from dbz.report.opening import open_run
from dbz.runs.schema import Run
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import Record
from dbz.runs.timeline import Timeline, timeline

HTML_FILE = "report.html"


@dataclass(frozen=True)
class WrittenReports:
    """The reports of a run that were made, and what became of writing them."""

    summary: str
    """The Markdown summary, whether it could be written or not."""
    paths: list[Path]
    """The files that were written."""
    problems: list[str]
    """Why others were not, a sentence each."""


def write_reports(folder: RunFolder) -> list[Path]:
    """Make the page, `junit.xml`, `summary.md`, `operations.csv` and `bencher.json` from the record alone; their paths.

    `UsageError` when the folder holds no run or cannot be written to.
    """
    written = write_what_can_be(folder, *open_run(folder))
    if written.problems:
        raise UsageError(written.problems[0], hint="copy the run to a folder that you can write to", code="E006")
    return written.paths


def write_what_can_be(folder: RunFolder, run: Run, record: Record) -> WrittenReports:
    """The same for a run in hand; a file that cannot be written is a problem to tell, and the others are written."""
    seconds = timeline(record)
    texts = {
        HTML_FILE: render_html(run, record, seconds),
        "junit.xml": render_junit(run),
        "summary.md": render_markdown(run, seconds),
        "operations.csv": render_csv(run),
        "bencher.json": render_bencher(run),
    }
    paths, problems = [], []
    for name, text in texts.items():
        try:
            paths.append(write_file(folder.path / name, text))
        except UsageError as error:
            problems.append(error.message)
    return WrittenReports(texts["summary.md"], paths, problems)


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
        raise UsageError(
            f"cannot write to {folder}: {error.strerror}", hint="choose another --out", code="E006"
        ) from error
    texts = {
        "verdict.json": run.to_json() + "\n",
        "bencher.json": render_bencher(run),
        "junit.xml": render_junit(run),
        "summary.md": summary_of(run),
    }
    return [write_file(folder / name, text) for name, text in texts.items()]


def write_file(path: Path, text: str) -> Path:
    """Replace a file in one step, so that a full disk leaves the old one or none, but never half of one."""
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise UsageError(f"cannot write {path}: {error.strerror}", code="E006") from error
    return path
