"""Man pages of commands, from the same texts as `--help`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dbz
from dbz.cli.help.topic import Topic

_VERBATIM = "\b\n"
"""Begins a paragraph that stays as it is written, for click and for us."""
_TITLED = re.compile(r"(Examples|Exit codes):\s*\n?")
_SIGNS = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
"""What troff would read as a command, or print as another sign than is written."""
_TITLES = {"Examples": "EXAMPLES", "Exit codes": "EXIT STATUS"}


def man_page(command: Any, words: Sequence[str], topics: Sequence[Topic] = ()) -> str:
    """The page of a command in the language of troff's `man` macros; `topics` become sections of it."""
    name = "-".join(("dbz", *words))
    description, titled = _paragraphs(inspect.cleandoc(command.help or ""))
    lines = [
        f'.TH {_quoted(name.upper())} 1 "" {_quoted(f"dbz {dbz.__version__}")} "dbz"',
        ".SH NAME",
        f"{_text(name)} \\- {_first_sentence(description)}",
        ".SH SYNOPSIS",
        f".B {_text(' '.join(('dbz', *words)))}",
        _text(_synopsis(command)),
        ".SH DESCRIPTION",
        *description,
        *_parameters(command),
        *titled,
    ]
    for topic in topics:
        lines += [f".SH {topic.name.replace('-', ' ').upper()}", ".nf", *_verbatim(topic.as_text()), ".fi"]
    below = [f"dbz-{'-'.join((*words, child))}" for child in getattr(command, "commands", {})]
    related = [*(["dbz"] if words else []), *below]
    if related:
        lines += [".SH SEE ALSO", ", ".join(f"\\fB{_text(one)}\\fR(1)" for one in related)]
    return "\n".join(lines) + "\n"


def all_pages(root: Any, topics: Sequence[Topic]) -> Iterator[tuple[str, str]]:
    """The name of the file of each page, and its text; the page of `dbz` itself has the topics."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        yield f"{'-'.join(('dbz', *words))}.1", man_page(command, words, () if words else topics)
        for name, child in getattr(command, "commands", {}).items():
            yield from below(child, (*words, name))

    return below(root, ())


def write_pages(folder: Path, root: Any, topics: Sequence[Topic]) -> int:
    """Write all pages to the section `man1` of a folder, where `man` looks for them; how many there are."""
    section = folder / "man1"
    section.mkdir(parents=True, exist_ok=True)
    pages = list(all_pages(root, topics))
    for name, text in pages:
        (section / name).write_text(text, encoding="utf-8")
    return len(pages)


def _paragraphs(text: str) -> tuple[list[str], list[str]]:
    """The lines of the description, and those of the paragraphs that are sections of their own."""
    description: list[str] = []
    titled: list[str] = []
    for paragraph in text.split("\n\n"):
        verbatim = paragraph.startswith(_VERBATIM)
        body = paragraph.removeprefix(_VERBATIM)
        found = _TITLED.match(body)
        if found:
            rest = _verbatim(inspect.cleandoc(" " * 2 + body[found.end() :].lstrip(" ")))
            examples = found[1] == "Examples"
            titled += [f".SH {_TITLES[found[1]]}", *([".nf", *rest, ".fi"] if examples else rest)]
        else:
            lines = _verbatim(body)
            description += [
                *([".PP"] if description else []),
                *([".nf", *lines, ".fi"] if verbatim and _is_table(body) else lines),
            ]
    return description, titled


def _is_table(body: str) -> bool:
    """Whether a paragraph that stays as it is has lines that begin further in: a list, or code."""
    return any(line.startswith("  ") for line in body.splitlines())


def _parameters(command: Any) -> list[str]:
    context = command.context_class(command, info_name="dbz", **command.context_settings)
    rows = {"argument": [], "option": []}  # type: dict[str, list[tuple[str, str]]]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and parameter.name != "help":
            rows[parameter.param_type_name].append(record)
    lines: list[str] = []
    for kind, title in (("argument", "ARGUMENTS"), ("option", "OPTIONS")):
        lines += [f".SH {title}"] if rows[kind] else []
        for name, about in rows[kind]:
            lines += [".TP", f"\\fB{_text(name)}\\fR", *_verbatim(" ".join(about.split()))]
    children = getattr(command, "commands", {})
    lines += [".SH COMMANDS"] if children else []
    for name, child in children.items():
        lines += [".TP", f"\\fB{_text(name)}\\fR", *_verbatim(inspect.cleandoc(child.help or "").split("\n\n")[0])]
    return lines


def _synopsis(command: Any) -> str:
    context = command.context_class(command, info_name="dbz", **command.context_settings)
    return " ".join(command.collect_usage_pieces(context))


def _first_sentence(lines: Sequence[str]) -> str:
    text = " ".join(line for line in lines[: lines.index(".PP") if ".PP" in lines else None])
    return text.split(". ")[0].rstrip(".")


def _verbatim(text: str) -> list[str]:
    return [_text(line) for line in text.splitlines()]


def _text(text: str) -> str:
    """A line in which nothing is a command of troff, and every sign can be pasted into a shell."""
    escaped = "".join(_SIGNS.get(sign, sign if sign.isascii() else f"\\[u{ord(sign):04X}]") for sign in text)
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


def _quoted(text: str) -> str:
    return f'"{_text(text)}"'
