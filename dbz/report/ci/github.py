"""What GitHub Actions shows of a run: annotations on the workflow, and the summary of the job.

Both are asked for by the environment that the runner sets: `GITHUB_ACTIONS` and `GITHUB_STEP_SUMMARY`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from dbz.errors import UsageError
from dbz.printable import printable
from dbz.report.words.comparison import suspect_advice
from dbz.report.words.verdict import BADGES, failed, headline, unsure, warns
from dbz.runs.schema import Run, RunVerdict

_MAX_ANNOTATIONS = 10
"""GitHub shows no more of a kind and step."""
_MAX_MESSAGE = 4_000
"""Characters; GitHub takes 64 KB for an annotation, and nobody reads more than this."""
MAX_SUMMARY_BYTES = 1_048_576
"""GitHub's limit for the summary of a step."""
_NO_ROOM = b"\n*There is no room for the summaries of further runs.*\n"


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
            _append(Path(path), summary + "\n")
        except OSError as error:
            raise UsageError(f"cannot write GITHUB_STEP_SUMMARY ({path}): {error.strerror}", code="E006") from error


def _append(path: Path, summary: str) -> None:
    """Add a summary to those of earlier runs in the file, as far as GitHub shows it: more, and it drops all of them."""
    there = path.stat().st_size if path.exists() else 0
    text = summary.encode(errors="replace")
    if there + len(text) + len(_NO_ROOM) > MAX_SUMMARY_BYTES:
        text = _NO_ROOM if there + len(_NO_ROOM) <= MAX_SUMMARY_BYTES else b""
    with path.open("ab") as file:
        file.write(text)


def workflow_commands(run: Run) -> list[str]:
    """Workflow commands: an error for each reason, a warning for each budget that only warns or is not sure, for a
    busy machine, and for what may have become slower."""
    kinds: dict[str, list[tuple[str, str]]] = {"error": [], "warning": [], "notice": []}
    kinds["error"] = [(BADGES[run.verdict], reason) for reason in run.reasons]
    if not run.reasons and run.verdict not in (RunVerdict.PASS, RunVerdict.FAIL):
        kinds["error"] = [(BADGES[run.verdict], headline(run))]
    for kind, title, message in _warnings(run):
        kinds[kind].append((title, message))
    return [_command(kind, *one) for kind, told in kinds.items() for one in _shown(told)]


def _shown(told: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """As many as GitHub shows, the last one for those that it would not."""
    if len(told) <= _MAX_ANNOTATIONS:
        return list(told)
    title, _ = told[0]
    left = len(told) - _MAX_ANNOTATIONS + 1
    return [*told[: _MAX_ANNOTATIONS - 1], (title, f"and {left} more: they are in the summary of the job")]


def _warnings(run: Run) -> Iterator[tuple[str, str, str]]:
    """Kind, title and message of what is to be pointed out beside the reasons."""
    for budget in run.budgets:
        if warns(budget):
            yield ("warning", "Budget", f"{budget.name}: {budget.verdict}, {budget.stat} of {budget.of}")
        elif unsure(budget) and not failed(budget):
            yield ("notice", "Not sure", f"{budget.name}: {budget.note or 'inconclusive'}")
    yield from (("warning", "Machine", note) for note in run.notes)
    yield from (("warning", "Not sure", text) for text in (suspect_advice(run.comparison) if run.comparison else ()))


def _command(kind: str, title: str, message: str) -> str:
    """A workflow command; text from outside can neither end it nor begin another one."""
    heading = _escaped(f"dbz {title}").replace(":", "%3A").replace(",", "%2C")
    shown = message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 1] + "…"
    return f"::{kind} title={heading}::{_escaped(shown)}"


def _escaped(text: str) -> str:
    plain = printable(text, keep="\r\n")
    return plain.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
