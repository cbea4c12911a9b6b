"""What pages of the documentation show: commands with their exit codes, and files."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class ShownCommand:
    """A line `$ dbz …` of a page."""

    line: str

    @property
    def arguments(self) -> list[str]:
        """The words after `dbz`."""
        return shlex.split(self.line, comments=True)[1:]

    @property
    def code(self) -> int:
        """The exit code that the page says behind the command, else 0."""
        said = re.search(r"# exit code (\d+)", self.line)
        return int(said[1]) if said else 0


def shown_commands(page: str) -> list[ShownCommand]:
    """The commands of a page, in its order."""
    return [ShownCommand(line) for line in re.findall(r"(?m)^\$ (dbz .*)$", (DOCS / page).read_text())]


def shown_files(page: str) -> dict[str, str]:
    """The files that a page shows, by the names in their first lines."""
    found = re.findall(r"```(?:yaml|python)\n# ([\w-]+\.\w+)\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    return dict(found)
