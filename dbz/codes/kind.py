"""What a code of an error stands for: a kind of error, with its cause and its cure."""

from __future__ import annotations

from dataclasses import dataclass

from dbz.errors import ExitCode

PREFIX = "DBZ-"
"""Begins every code that is shown, so that it can be searched for."""
AREAS = {
    "B": "bringing: import, init, record",
    "C": "cache and stores",
    "E": "environment: command line, files, programs",
    "H": "shards",
    "L": "load",
    "M": "monitor",
    "R": "results and reports",
    "S": "scale",
}
"""The letter of each area, and what it is about."""


@dataclass(frozen=True)
class ErrorKind:
    """One cause with its cure. Its code never comes to mean something else; a kind that is gone leaves a gap."""

    code: str
    """The letter of an area and a number, like "L002": as it is written in the code of dbz."""
    title: str
    """What happened, in a few words."""
    cause: str
    """Why it happens."""
    cure: str
    """What to do about it."""
    exit_code: ExitCode = ExitCode.USAGE
    """With which code of its own the command ends."""

    @property
    def area(self) -> str:
        """What it is about, such as "load"."""
        return AREAS[self.code[0]]

    @property
    def shown(self) -> str:
        """The code as it is printed, like "DBZ-L002"."""
        return shown_code(self.code)


def shown_code(code: str) -> str:
    """A code as it is printed: "L002" as "DBZ-L002"."""
    return f"{PREFIX}{code}"
