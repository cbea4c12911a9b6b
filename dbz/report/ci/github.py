"""What GitHub Actions shows of a run: annotations on the workflow, and the summary of the job.

Both are asked for by the environment that the runner sets: `GITHUB_ACTIONS` and `GITHUB_STEP_SUMMARY`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from dbz.errors import UsageError
from dbz.report.words.comparison import suspect_advice
from dbz.report.words.verdict import BADGES, failed, headline, unsure, warns
from dbz.runs.schema import Run, RunVerdict

_MAX_ANNOTATIONS = 10
"""GitHub shows no more of a kind and step."""


def tell_github(run: Run, summary: str, environment: Mapping[str, str], stream: TextIO) -> None:
    """Write the annotations to `stream` and add the Markdown to the job's summary; nothing outside GitHub Actions.

    `UsageError` when the file that the runner names cannot be written.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    stream.writelines(line + "\n" for line in workflow_commands(run))
    stream.flush()
    path = environment.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            with Path(path).open("a", encoding="utf-8", errors="replace") as file:
                file.write(summary + "\n")
        except OSError as error:
            raise UsageError(f"cannot write GITHUB_STEP_SUMMARY ({path}): {error.strerror}") from error


def workflow_commands(run: Run) -> list[str]:
    """Workflow commands: an error for each reason, a warning for each budget that only warns or is not sure, for a
    busy machine, and for what may have become slower."""
    errors = [_command("error", BADGES[run.verdict], reason) for reason in run.reasons]
    if not errors and run.verdict not in (RunVerdict.PASS, RunVerdict.FAIL):
        errors = [_command("error", BADGES[run.verdict], headline(run))]
    return [*errors[:_MAX_ANNOTATIONS], *list(_warnings(run))[:_MAX_ANNOTATIONS]]


def _warnings(run: Run) -> Iterator[str]:
    for budget in run.budgets:
        if warns(budget):
            yield _command("warning", "Budget", f"{budget.name}: {budget.verdict}, {budget.stat} of {budget.of}")
        elif unsure(budget) and not failed(budget):
            yield _command("notice", "Not sure", f"{budget.name}: {budget.note or 'inconclusive'}")
    yield from (_command("warning", "Machine", note) for note in run.notes)
    yield from (
        _command("warning", "Not sure", text) for text in (suspect_advice(run.comparison) if run.comparison else ())
    )


def _command(kind: str, title: str, message: str) -> str:
    """A workflow command; text from outside can neither end it nor begin another one."""
    return f"::{kind} title={_escaped(f'dbz {title}').replace(':', '%3A').replace(',', '%2C')}::{_escaped(message)}"


def _escaped(text: str) -> str:
    plain = "".join(char if char.isprintable() or char in "\r\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
    return plain.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
