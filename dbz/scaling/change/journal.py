"""The journal of every change: one file each, a line before each call and one after it, on disk before going on.

    $DBZ_STATE_DIR/scale/<id>.jsonl
        {"schema": "dbz.scale-journal/2", "id", "at", "pid", "plan"}
        {"at", "event": "begin" | "done", "step": N}            a step of the plan, counted over all its services
        {"at", "event": "undo" | "undone" | "left", "step": N}  its way back; left: somebody else had changed it, so it
                                                                may still be taken back by force
        {"at", "event": "applied" | "failed" | "rolled back" | "interrupted", "why"}

A journal whose last line is none of the last kind belongs to a dbz that was killed. Times are UTC. Schema 1 had one
for each service.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from dbz.bounded import DOCUMENT, parse_json, read_within
from dbz.config.folders import state_dir
from dbz.errors import UsageError
from dbz.scaling.change.order import PlannedStep, ordered
from dbz.scaling.change.state import Place
from dbz.scaling.change.steps import ChangePlan, plan_of

SCHEMA = "dbz.scale-journal/2"
_OF_ONE_SERVICE = "dbz.scale-journal/1"
OUTCOMES = ("applied", "failed", "rolled back", "interrupted")


@dataclass(frozen=True)
class JournalEntry:
    """A journal as read."""

    id: str
    """The name of its file, which begins with the time."""
    at: str
    """When it began, ISO 8601 in UTC."""
    plan: ChangePlan
    begun: tuple[int, ...]
    """The steps that may have taken effect and were not taken back, in order."""
    done: tuple[int, ...]
    """The steps whose call was made."""
    outcome: str
    """One of `OUTCOMES`; empty when dbz was killed before it came to one."""
    why: str
    """What made it end so."""
    path: Path
    left: tuple[int, ...] = ()
    """The steps that a way back has left alone, because somebody else had changed them."""
    undoing: bool = False
    """Whether a way back has begun."""

    @cached_property
    def steps(self) -> tuple[PlannedStep, ...]:
        """The steps of all services, by their numbers."""
        return ordered(self.plan)

    @property
    def places(self) -> list[Place]:
        """The services that it is about; that of the plan first."""
        return [one.place for one in self.plan.everything()]

    @property
    def open(self) -> bool:
        """Whether what it began is neither finished nor undone."""
        return self.outcome in ("", "interrupted") and bool(self.begun)

    def check_resumable(self) -> None:
        """`UsageError` unless it can be gone on with: it was neither finished nor taken back, not even in part."""
        what = f"the change {self.id} ({self.plan.goal})"
        if self.outcome == "applied" and not self.undoing:
            raise UsageError(f"{what} was finished: there is nothing to resume", hint="dbz scale history", code="S012")
        if self.open and self.undoing:
            raise UsageError(f"the way back of {what} has begun", hint=f"dbz scale rollback {self.id}", code="S012")
        if self.outcome not in ("", "interrupted"):
            what = f"{what} was taken back" if self.undoing else f"{what} has failed"
            raise UsageError(f"{what}: resumed, it would do again what is undone", hint="plan it anew", code="S012")


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
        code="E019",
    )


def folder() -> Path:
    """Where the journals lie."""
    return state_dir() / "scale"


def read_entry(path: Path) -> JournalEntry:
    """A journal; `UsageError` when it is damaged. A last line that was cut off by a kill does not count."""
    lines = _lines(path)
    schema = lines[0].get("schema") if lines else None
    if schema not in (SCHEMA, _OF_ONE_SERVICE):
        raise UsageError(f"{path} is not a journal of dbz scale", code="E013")
    plan = plan_of(lines[0]["plan"], str(path))
    if schema == _OF_ONE_SERVICE:
        plan = replace(plan, also=())
    begun: list[int] = []
    done: list[int] = []
    left: list[int] = []
    undoing, outcome, why = False, "", ""
    for line in lines[1:]:
        event = line["event"]
        if event in OUTCOMES:
            outcome, why = event, line["why"]
            continue
        outcome = why = ""
        step = int(line["step"])
        if event == "begin" and step not in begun:
            begun.append(step)
        elif event == "done" and step not in done:
            done.append(step)
        elif event == "undone" and step in begun:
            begun.remove(step)
        elif event == "left":
            left.append(step)
        undoing = undoing or event in ("undo", "undone", "left")
    left = [step for step in dict.fromkeys(left) if step in begun]
    return JournalEntry(
        path.stem, lines[0]["at"], plan, tuple(begun), tuple(done), outcome, why, path, tuple(left), undoing
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for text in read_within(path, DOCUMENT).splitlines():
        try:
            lines.append(parse_json(text, str(path)))
        except ValueError:
            break
    return lines


def entries() -> list[JournalEntry]:
    """All journals, oldest first; damaged ones are left out."""
    found = []
    for path in sorted(folder().glob("*.jsonl")):
        try:
            found.append(read_entry(path))
        except UsageError:
            continue
    return found


def entries_of(place: Place) -> list[JournalEntry]:
    """The journals of one service, oldest first: of this account, region and cluster, and of no namesake elsewhere."""
    return [entry for entry in entries() if place in entry.places]


def unfinished(place: Place) -> list[JournalEntry]:
    """Changes of a service that a killed or interrupted dbz has left."""
    return [entry for entry in entries_of(place) if entry.open]


def find_entry(name: str, place: Place) -> JournalEntry:
    """The change with that id or the beginning of it, or, without a name, the newest of the service that can be taken
    back. `UsageError` when there is none; it names those of services of the same name elsewhere."""
    known = entries_of(place)
    if not name:
        fitting = [entry for entry in known if entry.begun]
        if fitting:
            return fitting[-1]
        raise UsageError(
            f"there is nothing to roll back for {place}{_elsewhere(place)}", hint="dbz scale history", code="S012"
        )
    matching = [entry for entry in known if entry.id == name]
    matching = matching or [entry for entry in known if entry.id.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    what = f"names {len(matching)} changes" if matching else "is no change"
    raise UsageError(f"'{name}' {what} of {place}{_elsewhere(place)}", hint="dbz scale history", code="S012")


def _elsewhere(place: Place) -> str:
    """Where else a service of the same name was changed and could be taken back."""
    others = [other for entry in entries() if entry.begun for other in entry.places if other != place]
    named = [other for other in others if (other.cluster, other.service) == (place.cluster, place.service)]
    return f"; there is for {named[-1]}" if named else ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
