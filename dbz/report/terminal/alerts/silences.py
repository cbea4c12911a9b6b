"""Silences, as plain data and in lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dbz.monitor.rules.silences import Silence
from dbz.report.terminal.alerts.stamp import stamp
from dbz.report.terminal.console import clean


def silence_rows(silences: Sequence[Silence], now_s: float) -> list[dict[str, Any]]:
    """Silences as plain data; times are in seconds since the epoch."""
    return [
        {
            "id": one.id,
            "state": "on" if one.is_on(now_s) else "to come" if now_s < one.from_s else "over",
            "from_s": one.from_s,
            "until_s": one.until_s if one.removed_s is None else min(one.until_s, one.removed_s),
            "alerts": str(one.matcher),
            "why": one.why,
            "by": one.by,
        }
        for one in silences
    ]


def silences_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The same in lines."""
    if not rows:
        return "no silences"
    return "\n".join(clean(_line(row)) for row in rows)


def _line(row: Mapping[str, Any]) -> str:
    times = f"{row['state']}, {stamp(row['from_s'])} to {stamp(row['until_s'])}"
    by = f" ({row['by']})" if row["by"] else ""
    return f"{row['id']}  {times}  {row['alerts']}: {row['why']}{by}"
