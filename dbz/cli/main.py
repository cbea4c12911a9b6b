"""The `dbz` command line: its commands, and what becomes of errors."""

from __future__ import annotations

import errno
import functools
import gc
import itertools
import os
import sys
import tempfile
import traceback
from typing import Any

import typer
import typer.main

import dbz
from dbz.cli.budget.group import app as budget_app
from dbz.cli.cache.group import app as cache_app
from dbz.cli.complaint import Complaint, complain, wants_json
from dbz.cli.completion.command import answer, completion
from dbz.cli.completion.scripts import ASK
from dbz.cli.doctor import doctor
from dbz.cli.events.group import app as events_app
from dbz.cli.explain import explain
from dbz.cli.help.command import help_
from dbz.cli.init import init
from dbz.cli.load.capacity import capacity
from dbz.cli.load.command import load
from dbz.cli.monitor.group import app as monitor_app
from dbz.cli.options import grouped, with_groups
from dbz.cli.queue.group import app as queue_app
from dbz.cli.report.group import app as report_app
from dbz.cli.scale.group import app as scale_app
from dbz.cli.scenario.bring import import_files
from dbz.cli.scenario.record import record
from dbz.cli.scenario.rehearse import try_scenario
from dbz.cli.schema import schema
from dbz.cli.serve import serve
from dbz.cli.shard.group import app as shard_app
from dbz.cli.streams import TolerantStreams
from dbz.cli.verbosity import Verbosity
from dbz.errors import DbzError, ExitCode
from dbz.extras import extra_of
from dbz.masking import masked_text

# The base of all usage errors: typer has its own copy of click, or uses click itself, depending on its version.
_CommandLineError: type[Exception] = typer.BadParameter.__mro__[2]

_NO_COMMAND: type[Exception] = sys.modules[_CommandLineError.__module__].NoArgsIsHelpError
"""A group of commands called by itself: it shows its help."""

_NO_FAULT_OF_THE_NAME = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE)
"""Errors of a file that another name would not mend."""
_MAX_NAME = 300
_MAX_VALUE = 80

app = typer.Typer(
    name="dbz",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: half the start-up time, and examples stay as they are written
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(grouped(init))
app.command()(grouped(doctor))
app.command()(grouped(load))
app.command()(grouped(capacity))
app.command()(grouped(serve))
app.command("import")(grouped(import_files))
app.command()(grouped(record))
app.command("try")(grouped(try_scenario))
app.command()(grouped(schema))
app.command()(grouped(explain))
app.command("help")(grouped(help_))
app.command()(grouped(completion))
app.add_typer(cache_app, name="cache")
app.add_typer(shard_app, name="shard")
app.add_typer(queue_app, name="queue")
app.add_typer(events_app, name="events")
app.add_typer(report_app, name="report")
app.add_typer(budget_app, name="budget")
app.add_typer(scale_app, name="scale")
app.add_typer(monitor_app, name="monitor")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dbz {dbz.__version__}")
        raise typer.Exit


def dbz_command(
    context: typer.Context,
    *,
    verbosity: Verbosity,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),  # noqa: ARG001
) -> None:
    """Load-test and look after the backend of a real-time club app.

    \b
    Examples:
      dbz init --from URL           a project for your own service, judged at once
      dbz doctor                    whether this machine can measure, and what is configured answers
      dbz load                      500 users against a backend that dbz starts itself
      dbz load smoke                a few seconds of everything, for CI
      dbz load api --target URL     the API scenario against your own server
      dbz capacity                  how many users it can hold
      dbz import session.har        a scenario out of a recorded session
      dbz record --target URL       a session of a browser or an app, through a proxy
      dbz try scenario.py           one user does everything once; each exchange is printed
      dbz serve                     the backend alone, until Ctrl-C
      dbz scale simulate            what the scaling rules would do
      dbz cache warm                fill its cache before the users come
      dbz report list               all runs; dbz report show prints the newest
      dbz explain DBZ-L002          what an error means, and what to do about it
      dbz help                      topics: exit codes, environment, files and more
      dbz completion bash           the Tab key completes commands, profiles, runs

    \b
    Exit codes: 0 good, 1 a budget is broken, 2 wrong usage or configuration,
    3 something needed cannot be reached, 4 the measurement is not valid,
    70 an error in dbz itself, 130 interrupted.
    """
    context.obj = verbosity


app.callback()(with_groups(dbz_command))


@functools.cache
def command() -> Any:
    """All commands as click knows them; making them takes a third of what a short command needs once it is imported."""
    return typer.main.get_command(app)


def run(arguments: list[str]) -> int | None:
    """Carry out a command line; errors become one message on standard error and an exit code.

    None is returned by a command that did what it was asked to and has no verdict.
    """
    if arguments[:1] == [ASK]:
        typer.echo(answer(command(), arguments[1:]))
        return int(ExitCode.OK)
    try:
        code = command()(args=arguments, prog_name="dbz", standalone_mode=False)
    except _CommandLineError as error:
        if not isinstance(error, _NO_COMMAND):
            return _ended_by(_of_command_line(error), arguments)
        error.show()  # type: ignore[attr-defined]
        return int(ExitCode.USAGE)
    except (Exception, KeyboardInterrupt) as error:
        return _ended_by(_complaint(error, arguments), arguments)
    return code if isinstance(code, int) else None


def _ended_by(complaint: Complaint, arguments: list[str]) -> int:
    complain(complaint, as_json=wants_json(arguments))
    return int(complaint.exit_code)


def _complaint(error: BaseException, arguments: list[str]) -> Complaint:
    """What an exception means for the user."""
    match error:
        case DbzError():
            return Complaint.of(error)
        case KeyboardInterrupt() | typer.Abort():
            return Complaint(f"{_named(arguments)} was interrupted", "E022", ExitCode.INTERRUPTED)
        case ModuleNotFoundError(name=str(name)) if missing := extra_of(name):
            message = f"{_named(arguments)} needs a package that is not installed: {name}"
            return Complaint(message, "E014", ExitCode.UNREACHABLE, missing)
        case OSError() if error.filename is not None:
            message = f"{str(error.filename)[:_MAX_NAME]}: {error.strerror}"
            if error.errno in _NO_FAULT_OF_THE_NAME:
                return Complaint(message, "E025", ExitCode.UNREACHABLE)
            return Complaint(message, "E024", ExitCode.USAGE)
    hint = f"please report it with {_save_traceback()}"
    return Complaint("an error in dbz itself", "E023", ExitCode.INTERNAL, hint)


def _of_command_line(error: Any) -> Complaint:
    """What is wrong with the command line, in one sentence that names the help of the command."""
    message = " ".join(error.format_message().split())
    if given := _given(error):
        message = f"{message.rstrip('.')}, not {given}"
    path = error.ctx.command_path if error.ctx else "dbz"
    return Complaint(message, "E001", ExitCode.USAGE, f"see `{path} --help`")


def _given(error: BaseException) -> str:
    """The value of an option that typer has found to be no number or out of its range, and does not show itself."""
    details: Any = getattr(error.__cause__, "errors", None)
    if not callable(details):
        return ""
    value = masked_text(str(details()[0].get("input", "")))
    return repr(value if len(value) <= _MAX_VALUE else value[: _MAX_VALUE - 1] + "…")


def _named(arguments: list[str]) -> str:
    """The command in a command line: `dbz shard plan`."""
    words = list(itertools.takewhile(str.isalpha, arguments[:2]))
    return " ".join(["dbz", *words])


def _save_traceback() -> str:
    try:
        descriptor, name = tempfile.mkstemp(prefix="dbz-error-", suffix=".txt", text=True)
        with os.fdopen(descriptor, "w", errors="backslashreplace") as file:
            file.write(masked_text(traceback.format_exc()))
    except OSError:  # the disk is full: the last line of it is better than nothing
        return repr(sys.exception())
    return name


def main() -> None:
    """Entry point of the console script."""
    streams = TolerantStreams()
    code = run(sys.argv[1:])
    unwritten = streams.finish()
    if unwritten:
        complain(Complaint(unwritten, "E025", ExitCode.UNREACHABLE), as_json=wants_json(sys.argv[1:]))
        # A verdict is in the code, and in the files of its run; everything else was lost with the output.
        code = int(ExitCode.UNREACHABLE) if code is None else code
    streams.finish()
    gc.freeze()  # on its way out Python searches all there is for garbage: a tenth of a second, for nothing
    sys.exit(code or int(ExitCode.OK))


if __name__ == "__main__":
    main()
