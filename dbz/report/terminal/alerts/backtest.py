"""When rules would have fired, as plain data and in lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dbz.monitor.rules.backtest import RuleOutcome
from dbz.units import format_duration


def backtest_rows(outcomes: Sequence[RuleOutcome]) -> list[dict[str, Any]]:
    """What would have become of each rule, as plain data; times are in seconds since the start of the run."""
    return [
        {
            "type": one.rule.type,
            "when": str(one.rule.when),
            "judged": bool(one.readings),
            "worst": one.worst,
            "firings": [{"begin_s": firing.begin_s, "end_s": firing.end_s} for firing in one.firings],
        }
        for one in outcomes
    ]


def backtest_text(run_id: str, length_s: float, period_s: float, outcomes: Sequence[RuleOutcome]) -> str:
    """The same in lines."""
    lines = [f"{run_id}: {format_duration(round(length_s))}, read every {format_duration(period_s)}"]
    for one in outcomes:
        said = f"{one.rule.type} ({one.rule.when}): "
        if one.worst is None:
            lines.append(f"{said}not judged, the run does not tell its {one.rule.when.metric.value}")
            continue
        worst = f"its worst value is {one.rule.when.value_text(one.worst)}"
        if not one.firings:
            lines.append(f"{said}would not have fired; {worst}")
            continue
        times = [
            f"after {format_duration(round(firing.begin_s))}"
            + (f" for {format_duration(round(firing.end_s - firing.begin_s))}" if firing.end_s else " until the end")
            for firing in one.firings
        ]
        lines.append(f"{said}FIRES {', '.join(times)}; {worst}")
    return "\n".join(lines)
