"""What errors of the scenario's own code mean for a run: it is not valid, it fails, or a budget has already said so."""

from __future__ import annotations

from collections.abc import Sequence

from dbz.measure.budget.budgets import Budget
from dbz.measure.budget.measuring import Measurements
from dbz.measure.latency.series import SETUP, TASK
from dbz.runs.schema import ErrorGroup, Generator
from dbz.runs.storage.reading import Record, has_left
from dbz.runs.storage.record import ENDED_ITSELF, SETUP_NAME, TEARDOWN_NAME
from dbz.units import format_duration


def invalid_code(errors: Sequence[ErrorGroup]) -> list[str]:
    """Errors of code that prepares or steers the run: what was measured is not what the file means to measure."""
    return [
        f"{_OF_ONCE.get(one.operation, f'{one.operation} of the scenario failed, so {_NOT_MEANT}')}: {one.error}"
        for one in errors
        if one.kind == SETUP
    ]


_NOT_MEANT = "what ran is not what the file means to run"
_MAY_BE_ALONE_S = 1.5
"""Lines come once a second, and users may end a moment before the last one."""
_OF_ONCE = {
    SETUP_NAME: "the setup of the scenario failed, so there was no load",
    TEARDOWN_NAME: "the teardown of the scenario failed, so what it removes may still be there",
}


def notes_of_code(record: Record) -> list[str]:
    """What a reader should know of how the scenario ran: it ended the run itself; how exact deliveries are."""
    notes = []
    if ENDED_ITSELF in record.marks:
        notes.append(
            f"the scenario ended the run itself, {format_duration(record.marks[ENDED_ITSELF])} after its start"
        )
    if deserted := _deserted(record):
        notes.append(deserted)
    left = [worker for worker, lines in record.workers.items() if has_left(lines)]
    if 0 < len(left) < len(record.workers):
        notes.append(f"the scenario ended {len(left)} of {len(record.workers)} workers, and the others went on")
    errors_ms = [
        line["clock_error_ms"] for lines in record.workers.values() for line in lines if "clock_error_ms" in line
    ]
    if errors_ms and record.workers:
        notes.append(
            f"the clocks of the workers' machines agree within {max(errors_ms):.1f} ms: deliveries from one to another "
            "are that exact"
        )
    return notes


def _deserted(record: Record) -> str:
    """What is said of a judged part that went on when the last user had ended itself (`StopUser`); empty otherwise."""
    end_s = record.window.end_s
    lines = [line for of in record.workers.values() for line in of if line["t"] <= end_s]
    last_s = max((float(line["t"]) for line in lines if line.get("users")), default=end_s)
    alone_s = end_s - max(last_s, record.window.start_s)
    if alone_s <= _MAY_BE_ALONE_S:
        return ""
    return (
        f"no user was left from {format_duration(last_s)} on: the last {format_duration(alone_s)} of the judged part "
        "count, in rates too, though nobody asked for anything"
    )


def failures_of_code(
    record: Record,
    found: Measurements,
    budgets: Sequence[Budget],
    health: Generator,
    errors: Sequence[ErrorGroup],
    users: int,
) -> list[str]:
    """Reasons for which the run fails, whatever its latency.

    How many users may die is what the budgets on `errors` say: one of ten users is 10 % of what was tried, however many
    requests the others made. Without such a budget no error of the code is allowed.
    """
    limits = [one.limit for one in budgets if one.of.metric.name == "errors" and one.limit.known]
    raised = [one for one in errors if one.kind == TASK]
    example = f": {raised[0].operation}: {raised[0].error}" if raised else ""
    codes = sorted({code for code in record.exit_codes if code})  # master and workers run the same listeners
    reasons = [f"the scenario set environment.process_exit_code to {code}" for code in codes]
    died = health.died_users / max(users, health.died_users, 1)
    if died and not (limits and all(limit.holds(died) for limit in limits)):
        reasons.append(f"{health.died_users:,} of {max(users, health.died_users):,} users could not go on{example}")
    failed = found.attempts([TASK]).errors
    if failed and not limits:
        reasons.append(
            f"{failed:,} {'error' if failed == 1 else 'errors'} of the scenario's code, and no budget on `errors` says "
            f"how many may be{example}"
        )
    return reasons
