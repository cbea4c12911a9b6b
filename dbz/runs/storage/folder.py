"""The folder of one run, and the folder of all runs.

reports/<run-id>/
    run.json               what the run was and what became of it (`dbz.runs.schema`)
    worker-<n>.hlog        one histogram a second and series, in the standard interval-log format
    worker-<n>.jsonl       one line a second: users, errors, deliveries, the worker's own health
    worker-<n>.<m>.hlog …  the same of minutes after the first ten (`dbz.runs.past.segments`)
    digest.*               all of it by the blocks of the judged part, for comparisons (`dbz.runs.past.digest`)
    past.json, past-*      the older part of a long run, its seconds put together (`dbz.runs.past.store`)
    marks.jsonl            when the judged part began and ended
    server.jsonl           one line a second: what the server says of itself, and the health probe
    pages.jsonl            one line for each visit of a page by a browser, in loads that open some
    machine.jsonl          one line a second: how much of this machine the load and its target use, and others
    logs/                  what the child processes printed
    report.html, junit.xml, summary.md, operations.csv, bencher.json   made from the files above, at any time
"""

from __future__ import annotations

import errno
import logging
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from dbz.documents import DocumentKind
from dbz.errors import UsageError
from dbz.runs.past.segments import origin_of
from dbz.runs.schema import SCHEMA, Run

_LOG = logging.getLogger(__name__)


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_json = path / "run.json"
        self.marks = path / "marks.jsonl"
        self.server = path / "server.jsonl"
        self.machine = path / "machine.jsonl"
        self.pages = path / "pages.jsonl"
        self.logs = path / "logs"

    @property
    def id(self) -> str:
        """The run's id, which is the folder's name."""
        return self.path.name

    def worker_logs(self) -> list[Path]:
        """The interval logs of all workers, each in the order of its segments."""
        return sorted(self.path.glob("worker-*.hlog"), key=origin_of)

    def worker_lines(self) -> list[Path]:
        """The line files of all workers, each in the order of its segments."""
        return sorted(self.path.glob("worker-*.jsonl"), key=origin_of)

    def save(self, run: Run) -> None:
        """Replace `run.json` in one step, so that a reader or a crash never sees half of it."""
        temporary = self.run_json.with_suffix(".json.new")
        try:
            temporary.write_text(run.to_json(), encoding="utf-8", errors="replace")
            temporary.replace(self.run_json)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise UsageError(f"cannot write {self.run_json}: {error.strerror}", code="E006") from error

    def load(self) -> Run:
        """Read `run.json`; `UsageError` when it is missing, damaged or of another schema."""
        if self.path.is_dir() and not self.run_json.exists():
            raise UsageError(f"{self.path} is not a run: it has no run.json", hint="dbz report list", code="R001")
        return _KIND.read(self.run_json)


_KIND = DocumentKind(SCHEMA, "a run", Run.model_validate, hint="dbz report list")


def new_run_id(profile: str, at: datetime) -> str:
    """An id that sorts by time, names the profile, and does not collide within a second."""
    safe = "".join(char if char.isalnum() else "-" for char in profile)[:24].strip("-") or "run"
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{safe}-{secrets.token_hex(2)}"


def create_run_folder(reports: Path, run_id: str) -> RunFolder:
    """Make the folder of a new run and prove that it can be written; `UsageError` says why when it cannot."""
    folder = RunFolder(reports / run_id)
    try:
        folder.logs.mkdir(parents=True)
        probe = folder.path / ".writable"
        probe.write_bytes(b"\0" * 65536)
        probe.unlink()
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise UsageError(
            f"cannot write the report to {folder.path}: {reason}", hint="choose another --out", code="E006"
        ) from error
    _LOG.info("the run is written to %s", folder.path)
    return folder


def find_run(reports: Path, name: str) -> RunFolder:
    """The run that a path, an id, the beginning of an id, or `latest` names; `UsageError` when there is none."""
    direct = Path(name)
    if (direct / "run.json").exists():
        return RunFolder(direct)
    runs = list_runs(reports)
    if name == "latest" and runs:
        return runs[-1]
    matching = [run for run in runs if run.id == name] or [run for run in runs if run.id.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UsageError(
            f"'{name}' names {len(matching)} runs: {', '.join(run.id for run in matching[:5])}", code="R001"
        )
    known = f"; the newest is {runs[-1].id}" if runs else f"; there are no runs in {reports}"
    raise UsageError(f"no run '{name}' in {reports}{known}", hint="dbz report list", code="R001")


def list_runs(reports: Path) -> list[RunFolder]:
    """All runs below a reports folder, oldest first."""
    return [RunFolder(path.parent) for path in sorted(reports.glob("*/run.json"))]
