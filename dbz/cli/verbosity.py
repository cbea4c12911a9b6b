"""How much a command says: only the outcome, or also what it does and why, and whether a file gets all of that."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer

from dbz.errors import DbzError, UsageError
from dbz.masking import masked_text

_LOG = logging.getLogger("dbz")
"""What rooms do and why goes to loggers below this one, at the level INFO; else nobody hears it."""


@dataclass(frozen=True)
class Verbosity:
    """Options of all commands; they may stand before the command or behind it."""

    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say only the outcome or the error; a question is asked all the same.")
    ] = False
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say also what is done and why, on standard error.")
    ] = False
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="Append what is done and why to FILE, as lines of JSON."),
    ] = None

    def over(self, before: Verbosity) -> Verbosity:
        """This one, and what only the one before the command says."""
        return Verbosity(self.quiet or before.quiet, self.verbose or before.verbose, self.log or before.log)

    @contextlib.contextmanager
    def kept(self, command: str) -> Iterator[None]:
        """Within this block a command speaks like this. `UsageError` when the log cannot be written."""
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose contradict each other; leave one of them out", code="E003")
        token = _VERBOSITY.set(self)
        handlers: list[logging.Handler] = [_Narration()] if self.verbose else []
        try:
            with contextlib.ExitStack() as ending:
                if self.log is not None:
                    handlers.append(ending.enter_context(contextlib.closing(_LogFile(self.log))))
                if handlers:
                    ending.enter_context(_heard_by(handlers))
                    ending.enter_context(_told(command))
                if self.quiet:
                    ending.enter_context(contextlib.redirect_stderr(_Silence(sys.stderr)))
                yield
        finally:
            _VERBOSITY.reset(token)


_USUAL = Verbosity()
_VERBOSITY: ContextVar[Verbosity] = ContextVar("verbosity", default=_USUAL)


def is_quiet() -> bool:
    """Whether only the outcome is to be said."""
    return _VERBOSITY.get().quiet


@contextlib.contextmanager
def aloud() -> Iterator[None]:
    """Within this block standard error is heard also when the command is quiet: something is asked."""
    silence = sys.stderr
    with contextlib.redirect_stderr(silence.speaking if isinstance(silence, _Silence) else silence):
        yield


class _Silence(io.TextIOBase):
    """Standard error of a quiet command: drops what is written, and is no terminal, so that nothing draws on it."""

    def __init__(self, speaking: TextIO) -> None:
        super().__init__()
        self.speaking = speaking

    def write(self, text: str) -> int:
        """All of it is taken."""
        return len(text)

    def fileno(self) -> int:
        """That of the stream that is silenced, for child processes."""
        return self.speaking.fileno()


class _Narration(logging.Handler):
    """Says each step on standard error, with the seconds since the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self._began_s = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        passed_s = time.monotonic() - self._began_s
        with contextlib.suppress(OSError, ValueError):
            typer.echo(f"  [{passed_s:7.2f} s] {masked_text(record.getMessage())}", err=True)


class _LogFile(logging.Handler):
    """Appends each step to a file: schema `dbz.log/1`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            self._file = path.open("a", encoding="utf-8", errors="backslashreplace")
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            reason = getattr(error, "strerror", "") or "no file can have this name"
            raise UsageError(f"--log: {path} cannot be written: {reason}", code="E006") from error

    def emit(self, record: logging.LogRecord) -> None:
        """One line; a disk that is full stops no command."""
        line = {
            "schema": "dbz.log/1",
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "area": record.name.removeprefix("dbz."),
            "message": masked_text(record.getMessage()),
            **getattr(record, "facts", {}),
        }
        with contextlib.suppress(OSError):
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._file.close()
        super().close()


@contextlib.contextmanager
def _heard_by(handlers: list[logging.Handler]) -> Iterator[None]:
    before = _LOG.level
    _LOG.setLevel(logging.INFO)
    for handler in handlers:
        _LOG.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            _LOG.removeHandler(handler)
        _LOG.setLevel(before)


@contextlib.contextmanager
def _told(command: str) -> Iterator[None]:
    """Tell that a command begins and how it ends; not its options, which may hold secrets."""
    log = logging.getLogger("dbz.command")
    log.info("%s begins", command)
    try:
        yield
    except typer.Exit as ending:
        log.info("%s ends with %d", command, ending.exit_code, extra={"facts": {"exit_code": ending.exit_code}})
        raise
    except DbzError as error:
        facts = {"code": f"DBZ-{error.code}", "exit_code": int(error.exit_code)}
        log.error("%s", error.message, extra={"facts": facts})
        raise
    except BaseException as error:
        log.error("%s ends by %s", command, type(error).__name__)
        raise
    log.info("%s ends", command)
