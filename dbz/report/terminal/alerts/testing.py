"""What came of tests of rules and routes, as plain data and in lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from dbz.monitor.rules.testing import Mismatch, TestOutcome, Told
from dbz.report.terminal.console import clean
from dbz.units import format_duration


def outcome_rows(outcomes: Sequence[TestOutcome]) -> dict[str, Any]:
    """Everything as plain data; times are in seconds since the start of each test."""
    return {
        "schema": "dbz.monitor-test-result/1",
        "passed": not any(one.differences for one in outcomes),
        "tests": [
            {
                "name": one.test.name,
                "passed": not one.differences,
                "start": one.start.isoformat(),
                "rounds": one.rounds,
                "told": [asdict(told) for told in one.told],
                "differences": [asdict(difference) for difference in one.differences],
            }
            for one in outcomes
        ],
    }


def outcome_text(outcome: TestOutcome) -> str:
    """One test, with a line for everything that was otherwise than expected."""
    lines = [f"{'✗' if outcome.differences else '✓'} {outcome.test.name}"]
    lines += [f"    {line}" for difference in outcome.differences for line in difference_lines(difference, outcome)]
    return "\n".join(map(clean, lines))


def difference_lines(difference: Mismatch, outcome: TestOutcome) -> list[str]:
    """What was expected, and what was told instead."""
    expected, told = difference.expected, difference.told
    if expected is None:
        assert told is not None, "a difference has a side"
        return [f"not expected: {_text(told, outcome)}"]
    lines = [f"expected: {_text(expected, outcome)}"]
    if told is not None:
        return [*lines, f"     told: {_text(told, outcome)}"]
    why = f", which was kept to the log: {difference.kept_to_log}" if difference.kept_to_log else ""
    return [*lines, f"     told: nothing of it{why}"]


def _text(told: Told, outcome: TestOutcome) -> str:
    clock = datetime.fromtimestamp(outcome.start.timestamp() + told.at_s, outcome.start.tzinfo)
    days = (clock.date() - outcome.start.date()).days
    day = f"{clock:%a} " if days else ""
    at = f"{format_duration(told.at_s)} ({day}{clock:%H:%M:%S})"
    return f"{told.type} of {told.target} {told.event} at {at} → {', '.join(told.to)}"
