"""The journal of every change: one file each, a line before each call and one after it, on disk before going on.

    $DBZ_STATE_DIR/scale/<id>.jsonl
        {"schema": "dbz.scale-journal/1", "id", "at", "pid", "plan"}
        {"at", "event": "begin" | "done", "step": N}            a step of the plan
        {"at", "event": "undo" | "undone" | "left", "step": N}  its way back; left: somebody else had changed it
        {"at", "event": "applied" | "failed" | "rolled back" | "interrupted", "why"}

A journal whose last line is none of the last kind belongs to a dbz that was killed. Times are UTC.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbz.config.folders import state_dir
from dbz.errors import UsageError
from dbz.scaling.change.steps import ChangePlan, plan_of

SCHEMA = "dbz.scale-journal/1"
OUTCOMES = ("applied", "failed", "rolled back", "interrupted")


@dataclass(frozen=True)
class JournalEntry:
    """A journal as read: `begun` are the steps that may have taken effect and were not undone, in order."""

    id: str
    at: str
    plan: ChangePlan
    begun: tuple[int, ...]
    done: tuple[int, ...]
    outcome: str
    why: str
    path: Path

    @property
    def open(self) -> bool:
        """Whether what it began is neither finished nor undone."""
        return self.outcome in ("", "interrupted") and bool(self.begun)


class ChangeJournal:
    """Writes one journal; every line is on disk when the call returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.stem

    @classmethod
    def begin(cls, plan: ChangePlan) -> ChangeJournal:
        """A new journal for a plan; `UsageError` when it cannot be written, so that nothing is done unwritten."""
        journal = cls(_unused_path())
        journal._write({"schema": SCHEMA, "id": journal.id, "at": _now(), "pid": os.getpid(), "plan": plan.document()})
        return journal

    def step(self, event: str, step: int) -> None:
        """Note what is about to be done, or has been done, to a step of the plan."""
        self._write({"at": _now(), "event": event, "step": step})

    def end(self, outcome: str, why: str = "") -> None:
        """Note what became of it."""
        self._write({"at": _now(), "event": outcome, "why": why})

    def _write(self, line: dict[str, Any]) -> None:
        try:
            with self.path.open("ab") as file:
                file.write(json.dumps(line).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _not_writable(self.path, error) from error


def _unused_path() -> Path:
    """A name that sorts by time, to the millisecond, and is nobody else's."""
    while True:
        now = datetime.now(UTC)
        path = folder() / f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(exist_ok=False)
        except FileExistsError:
            time.sleep(0.001)
            continue
        except OSError as error:
            raise _not_writable(path, error) from error
        return path


def _not_writable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"the journal {path} cannot be written: {error.strerror}",
        hint="set DBZ_STATE_DIR to a folder that you can write to",
    )


def folder() -> Path:
    """Where the journals lie."""
    return state_dir() / "scale"


def read_entry(path: Path) -> JournalEntry:
    """A journal; `UsageError` when it is damaged. A last line that was cut off by a kill does not count."""
    lines: list[dict[str, Any]] = []
    for text in path.read_bytes().splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    if not lines or lines[0].get("schema") != SCHEMA:
        raise UsageError(f"{path} is not a journal of dbz scale")
    plan = plan_of(lines[0]["plan"], str(path))
    begun: list[int] = []
    done: list[int] = []
    outcome = why = ""
    for line in lines[1:]:
        event = line["event"]
        if event in OUTCOMES:
            outcome, why = event, line["why"]
            continue
        outcome = why = ""
        step = int(line["step"])
        if event == "begin" and step not in begun:
            begun.append(step)
        elif event == "done":
            done.append(step)
        elif event in ("undone", "left") and step in begun:
            begun.remove(step)
    return JournalEntry(path.stem, lines[0]["at"], plan, tuple(begun), tuple(done), outcome, why, path)


def entries() -> list[JournalEntry]:
    """All journals, oldest first; damaged ones are left out."""
    found = []
    for path in sorted(folder().glob("*.jsonl")):
        try:
            found.append(read_entry(path))
        except UsageError:
            continue
    return found


def unfinished(cluster: str, service: str) -> list[JournalEntry]:
    """The changes of a service that a killed or interrupted dbz has left, oldest first."""
    return [one for one in entries() if one.open and (one.plan.cluster, one.plan.service) == (cluster, service)]


def find_entry(name: str, cluster: str, service: str) -> JournalEntry:
    """The change with that id or the beginning of it, or, without a name, the newest of the service that can be taken
    back. `UsageError` when there is none."""
    known = [one for one in entries() if (one.plan.cluster, one.plan.service) == (cluster, service)]
    if not name:
        fitting = [one for one in known if one.begun]
        if fitting:
            return fitting[-1]
        raise UsageError(f"there is nothing to roll back for {service} in {cluster}", hint="dbz scale history")
    matching = [one for one in known if one.id == name] or [one for one in known if one.id.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    what = f"names {len(matching)} changes" if matching else "is no change"
    raise UsageError(f"'{name}' {what} of {service} in {cluster}", hint="dbz scale history")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
