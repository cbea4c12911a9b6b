"""Errors of the monitor."""

from __future__ import annotations

from dbz.codes.kind import ErrorKind
from dbz.errors import ExitCode

MONITOR = (
    ErrorKind(
        "M001", "there is no such channel",
        "The monitor's file has no channels, or none of this name.",
        "Add one below `channels`; the end of configs/monitor.yaml shows how they look.",
    ),
    ErrorKind(
        "M002", "a channel did not take the message",
        "Slack, the mail server or the webhook refused the test message, or did not answer.",
        "The line of the channel says why: its address, its secret, or its network.",
        ExitCode.BROKEN,
    ),
    ErrorKind(
        "M003", "the monitor has no series yet",
        "Series are kept while `dbz monitor` watches, and it has not watched with this state folder.",
        "Start `dbz monitor`, or name its folder with --state.",
    ),
    ErrorKind(
        "M004", "there is no such silence",
        "No silence of this id has time left.",
        "The message lists those that have; `dbz monitor silence` lists them too.",
    ),
    ErrorKind(
        "M005", "a test of the alerts failed",
        "Rules and routes told something else than the tests expect.",
        "The table shows what was expected and what was told. Correct the rule, or the test.",
        ExitCode.BROKEN,
    ),
    ErrorKind(
        "M006", "the recording cannot be played to the rules",
        "A column or a unit is not known, a time or a number is damaged, the file is too large or covers "
        "too long a time, or a long run keeps its older part in spans that are longer than the interval.",
        "The message has the line and what is expected; docs/monitor.md describes the forms.",
    ),
    ErrorKind(
        "M007", "this is not the monitor's file",
        "What lies at the place of the monitor's file is no file.",
        "Give the monitor's own folder with --state.",
    ),
    ErrorKind(
        "M008", "another monitor uses this folder",
        "Two monitors with one folder would tell everything twice.",
        "Stop the other one, or give this one another folder with --state.",
    ),
    ErrorKind(
        "M009", "the monitor's file cannot be used",
        "SQLite could not read or write it: it is damaged, locked, on a full disk, or may not be written.",
        "The message has SQLite's reason. A damaged file can be moved away: a new one is begun.",
        ExitCode.UNREACHABLE,
    ),
)  # fmt: skip
"""All kinds of this area, in the order of their codes."""
