"""Every error that dbz shows to a user, with the two codes that each one carries: for scripts, and to look it up by.

    DbzError                     what happened, where, and what to do next
    ├── UsageError          2    the command line or a file it names is wrong
    │   └── ConfigError     2    one or more problems in a YAML file, all of them at once
    ├── DependencyError     3    something needed cannot be reached or started
    ├── VerificationError   1    what had to be true turned out not to be
    ├── InvalidRunError     4    the measurement cannot be trusted
    └── InterruptedRunError 130  the user stopped the work

`ExitCode` is the only table of exit codes; `dbz.cli.main` is the only place that applies it. Code 1 is never anything
but a broken budget or a failed verification: an error without a code of its own is one of dbz itself, 70.

`code` says which kind of error it is, like "L002": what `dbz explain` explains. A kind is a cause with its cure, in
however many places it shows; all of them are in `dbz.codes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Process exit codes; the meaning of each is part of the public interface."""

    OK = 0
    BROKEN = 1
    USAGE = 2
    UNREACHABLE = 3
    INVALID = 4
    INTERNAL = 70
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One sentence for the exit-code table of the README."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "all good",
    ExitCode.BROKEN: "a budget is broken, or a verification failed",
    ExitCode.USAGE: "wrong usage or configuration; nothing was started",
    ExitCode.UNREACHABLE: "something needed cannot be reached or started",
    ExitCode.INVALID: "the measurement is not valid (generator saturated, too few samples, a worker lost), "
    "or a verification is incomplete",
    ExitCode.INTERNAL: "an error in dbz itself; its message names a file to report it with",
    ExitCode.INTERRUPTED: "interrupted; what was measured is saved and judged",
}


class DbzError(Exception):
    """Base of all errors with a message for the user; `hint` says what to do next, `code` is one of `dbz.codes`."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str = "", code: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


class UsageError(DbzError):
    """The command line, or a file that it names, is wrong."""

    exit_code = ExitCode.USAGE


_LONGEST = 400
"""Characters of one problem that are shown; a value of a megabyte may be at fault."""
_MOST_PROBLEMS = 50


INDENTED = "\n    "
"""Begins a further line of a message."""


def printable(text: str) -> str:
    """A text on one line, with the escapes of Python for what is not printable."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a configuration file: where, what, and what would be allowed."""

    where: str
    what: str
    allowed: str = ""

    def __str__(self) -> str:
        what = self.what if len(self.what) <= _LONGEST else f"{self.what[:_LONGEST]}…"
        text = f"{self.where}: {what}" + (f" (allowed: {self.allowed})" if self.allowed else "")
        # Messages quote what stands in a file, and go to terminals, which obey control characters. Lines that are
        # indented are our own: they show a sentence with a mark below it.
        return INDENTED.join(printable(part) for part in text.split(INDENTED))


class ConfigError(UsageError):
    """One or more problems in a configuration file."""

    def __init__(self, problems: Sequence[Problem], *, hint: str = "", code: str = "E008") -> None:
        lines = [str(problem) for problem in problems[:_MOST_PROBLEMS]]
        if len(problems) > _MOST_PROBLEMS:
            lines.append(f"and {len(problems) - _MOST_PROBLEMS:,} problems more")
        super().__init__("\n".join(lines), hint=hint, code=code)
        self.problems = tuple(problems)


class DependencyError(DbzError):
    """A target, a store, a child process or an optional package is missing or does not answer."""

    exit_code = ExitCode.UNREACHABLE


class VerificationError(DbzError):
    """What was verified turned out not to be as it had to be."""

    exit_code = ExitCode.BROKEN


class InvalidRunError(DbzError):
    """The load was generated or recorded in a way that makes the numbers worthless."""

    exit_code = ExitCode.INVALID


class InterruptedRunError(DbzError):
    """The user asked to stop before there was a result."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, message: str, *, hint: str = "", code: str = "E022") -> None:
        super().__init__(message, hint=hint, code=code)
