"""What is said of counting everything again."""

from __future__ import annotations

from typing import Any

from dbz.server.game.results.rebuild import RebuildOutcome, RowDifference
from dbz.units import counted, format_duration

SCHEMA = "dbz.events-rebuild/1"
_MOST = 20


def rebuild_text(outcome: RebuildOutcome, check: bool) -> str:
    """The outcome for a terminal: which rows differ and in what, and what to do next."""
    differences = outcome.differences or []
    what = f"{counted(outcome.events, 'event')} of {counted(outcome.clubs, 'club')}, {counted(outcome.rows, 'row')}"
    lines = [_difference(each) for each in differences[:_MOST]]
    if differences[_MOST:]:
        lines.append(f"  and {counted(len(differences) - _MOST, 'more row')}")
    if differences:
        lines.insert(0, f"{counted(len(differences), 'row')} of {', '.join(outcome.collections)} differ from the log:")
    elif check:
        lines.append(f"Everything is counted as the log has it: {what}.")
    elif outcome.switched:
        where, time = ", ".join(outcome.collections), format_duration(outcome.seconds)
        lines.append(f"Counted again and switched: {what}, now read from {where}, in {time}.")
    else:
        lines.append("Nothing was switched: somebody else ended this rebuild.")
    return "\n".join([*lines, *(f"→ {step}" for step in next_steps(outcome, check))])


def next_steps(outcome: RebuildOutcome, check: bool) -> list[str]:
    """What to do."""
    if outcome.differences and check:
        return ["dbz events rebuild counts everything again, while servers go on"]
    if outcome.differences:
        return ["nothing was switched; is a server of another version writing? look into its log, and run it again"]
    return [] if check else ["dbz events rebuild --check compares once more"]


def rebuild_document(outcome: RebuildOutcome, check: bool) -> dict[str, Any]:
    """The outcome as JSON."""
    return {
        "schema": SCHEMA,
        "collections": outcome.collections,
        "clubs": outcome.clubs,
        "events": outcome.events,
        "rows": outcome.rows,
        "differences": [each.document() for each in outcome.differences or ()],
        "switched": outcome.switched,
        "seconds": round(outcome.seconds, 3),
        "next_steps": next_steps(outcome, check),
    }


def _difference(each: RowDifference) -> str:
    parts = []
    for name in sorted({*each.expected, *each.stored}):
        stored, expected = each.stored.get(name, 0), each.expected.get(name, 0)
        parts += [f"{name} is {stored}, should be {expected}"] if stored != expected else []
    return f"  {each.collection} {each.row}: {'; '.join(parts)}"
