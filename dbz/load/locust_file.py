"""What a Locust file says of itself when it is run: user classes, their hosts, its load shape.

Locust finds a host by importing the file, and by reading its own configuration. So a short-lived child process does the
same, with a deadline, and answers as JSON; the hosts are checked before anything is loaded.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbz.bounded import DOCUMENT, SCENARIO, check_size, parse_json, read_within
from dbz.children import Child, python_module
from dbz.errors import UsageError
from dbz.load.spec import INSPECTION_KEY

_DEADLINE_S = 60.0


@dataclass(frozen=True)
class FileUser:
    """One user class of a Locust file that would be spawned."""

    name: str
    host: str
    """Its own, or inherited; empty when it has none."""
    needs_host: bool
    """Whether Locust refuses to spawn it without a host: its client speaks HTTP."""


@dataclass(frozen=True)
class LocustFile:
    """A Locust file as Locust sees it."""

    path: Path
    users: tuple[FileUser, ...]
    host: str = ""
    """What Locust's own configuration names for all classes: `LOCUST_HOST`, `locust.conf`, pyproject.toml."""
    has_shape: bool = False
    shape_s: float | None = None
    """How long its load shape lasts; None when that depends on the run, or on nothing."""
    shape_users: int = 0
    """The most users that the shape asks for, as far as that is known."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that its classes name, each once; `UsageError` when only some classes have one that need it."""
        without = [one.name for one in self.users if one.needs_host and not one.host]
        hosts = tuple(dict.fromkeys(one.host for one in self.users if one.host))
        if hosts and without:
            raise UsageError(
                f"{self.path}: user class {without[0]} has no host, though others have",
                hint="give it one, or name one target for all classes with --target",
                code="L004",
            )
        return hosts


def look_into(path: Path, allowed_targets: Sequence[str] = ()) -> LocustFile:
    """Import a Locust file in a process of its own; `UsageError` when that fails, with the line where it is known.

    While it is imported it may reach this machine and `allowed_targets` only.
    """
    check_size(path, SCENARIO)
    with tempfile.TemporaryDirectory(prefix="dbz-locust-file-") as scratch:
        answer, log = Path(scratch) / "answer.json", Path(scratch) / "log"
        question = {"path": str(path), "answer": str(answer), "allowed_targets": list(allowed_targets)}
        command = python_module("dbz.load.generator.inspection")
        with Child("locust file", command, log=log, env={INSPECTION_KEY: json.dumps(question)}, grace_s=0.2) as child:
            code = child.wait(_DEADLINE_S)
            found = _read(answer)
        if code is None:
            raise UsageError(
                f"{path} was not imported within {_DEADLINE_S:g} s", hint="what does it wait for?", code="L005"
            )
        if found is None:
            raise UsageError(f"{path} ended the program at import with code {code}:\n{child.log_tail()}", code="L005")
    if "error" in found:
        raise UsageError(found["error"], hint=found.get("hint", ""), code=found["code"])
    users = tuple(FileUser(**one) for one in found.pop("users"))
    return LocustFile(path=path, users=users, **found)


def _read(answer: Path) -> dict[str, Any] | None:
    """The child's answer; None when it ended before it could give one."""
    try:
        document = parse_json(read_within(answer, DOCUMENT), str(answer))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
