"""Errors of runs, reports and results of other tools."""

from __future__ import annotations

from dbz.codes.kind import ErrorKind

RESULTS = (
    ErrorKind(
        "R001", "there is no such run",
        "No folder of a run begins with this name, several do, or the folder has no run.json.",
        "`dbz report list` shows all runs; --reports names another folder of them.",
    ),
    ErrorKind(
        "R002", "the runs cannot be compared",
        "They differ in what decides about latency (profile, users, target), are not valid, or are too few.",
        "The message says in what. Compare runs of one profile; some differences can be allowed with --force.",
    ),
    ErrorKind(
        "R003", "the file is of no tool that dbz knows",
        "Results can come from k6, Locust, vegeta, Lighthouse and dbz itself, in the forms of docs/budgets.md.",
        "Export the result in one of these forms.",
    ),
    ErrorKind(
        "R004", "a result of another tool is damaged",
        "A figure is missing, negative, no number, or contradicts another one: the file was cut off or edited.",
        "Export the result again; the message has the place in the file.",
    ),
    ErrorKind(
        "R005", "these results cannot be put together",
        "Samples and finished percentiles, or two files with one operation, cannot be added up truthfully.",
        "Judge the files one after the other.",
    ),
    ErrorKind(
        "R006", "Lighthouse could not measure the page",
        "Its report says itself that the page did not load, or that nothing could be measured.",
        "Open the page in a browser, and run Lighthouse again.",
    ),
)  # fmt: skip
"""All kinds of this area, in the order of their codes."""
