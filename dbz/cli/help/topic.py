"""The form of a topic: for a terminal and for a page."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

_WIDTH = 100
_MOST_INDENT = 34


@dataclass(frozen=True)
class Section:
    """Some sentences, and below them rows of a name and what it is."""

    title: str = ""
    """Empty where it needs none."""
    text: str = ""
    """Written over several lines of code, it is one paragraph all the same."""
    rows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Topic:
    """What `dbz help NAME` says."""

    name: str
    about: str
    """In the list of topics."""
    sections: tuple[Section, ...]

    def as_text(self) -> str:
        """For a terminal."""
        return "\n\n".join(part for section in self.sections for part in _plain(section))

    def as_markdown(self) -> str:
        """For a page of the documentation."""
        parts = [f"## {self.name}"]
        for section in self.sections:
            parts += [f"### {section.title}"] if section.title else []
            parts += [" ".join(section.text.split())] if section.text else []
            if section.rows:
                rows = [f"| {_code(name)} | {what.replace('|', chr(92) + '|')} |" for name, what in section.rows]
                parts.append("\n".join(["| | |", "| --- | --- |", *rows]))
        return "\n\n".join(parts)


def _plain(section: Section) -> list[str]:
    parts = [f"{section.title}:"] if section.title else []
    if section.text:
        indent = "  " if section.title else ""
        text = " ".join(section.text.split())
        parts.append("\n".join(textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)))
    if section.rows:
        width = min(max(len(name) for name, _ in section.rows) + 4, _MOST_INDENT)
        parts.append("\n".join(line for row in section.rows for line in _row(*row, width)))
    return parts


def _row(name: str, what: str, indent: int) -> list[str]:
    lines = textwrap.wrap(what, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent)
    if len(name) + 4 > indent:
        return [f"  {name}", *lines]
    return [f"  {name}".ljust(indent) + lines[0][indent:], *lines[1:]]


def _code(name: str) -> str:
    return ", ".join(f"`{part}`" for part in re.split(r", (?=\S)", name))
