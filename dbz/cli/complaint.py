"""What is said when a command cannot go on: one message for a person, or one object for a program."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from dbz.errors import DbzError, ExitCode
from dbz.masking import masked_name
from dbz.printable import printable

SCHEMA = "dbz.error/1"
_COMMAND = re.compile(r"dbz [a-z]+( [a-z]+)?( --?[a-z][^\s,;]*| [A-Z0-9][\w.-]*)*")
_QUOTED = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Complaint:
    """Why a command ends, whatever kind of exception said so."""

    message: str
    """What happened and where; it may have further lines."""
    code: str
    """One of `dbz.codes`, like "L002"."""
    exit_code: ExitCode
    """The code that the process ends with."""
    hint: str = ""
    """What to do next."""

    @classmethod
    def of(cls, error: DbzError) -> Complaint:
        """The complaint that an error of dbz makes."""
        return cls(masked_name(error.message), error.code, error.exit_code, masked_name(error.hint))

    def as_text(self) -> str:
        """The message with its code, and below it the hint."""
        first, *rest = _harmless(self.message).split("\n")
        lines = [f"dbz: {first} [DBZ-{self.code}]", *rest]
        return "\n".join([*lines, *([f"     {_harmless(self.hint)}"] if self.hint else ())])

    def as_json(self) -> str:
        """One line: an object of schema `dbz.error/1`."""
        commands = [text for text in (self.hint, *_QUOTED.findall(self.hint)) if _COMMAND.fullmatch(text)]
        document = {
            "schema": SCHEMA,
            "code": f"DBZ-{self.code}",
            "message": self.message,
            "hint": self.hint,
            "exit_code": int(self.exit_code),
            "next_steps": [*commands, f"dbz explain DBZ-{self.code}"],
        }
        return json.dumps(document)


def complain(complaint: Complaint, *, as_json: bool = False) -> None:
    """Say on standard error why a command ends; nothing that goes wrong with that matters any more."""
    with contextlib.suppress(OSError):
        typer.echo(complaint.as_json() if as_json else complaint.as_text(), err=True)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for JSON, so that its error is JSON too."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _harmless(text: str) -> str:
    """The text without what would steer a terminal: names in messages may come from files and servers."""
    return printable(text, keep="\n")
