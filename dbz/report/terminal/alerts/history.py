"""What was told, to whom, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from dbz.monitor.rules.silences import Silence
from dbz.monitor.store.store import OutboxRow
from dbz.report.terminal.alerts.stamp import stamp
from dbz.report.terminal.console import clean
from dbz.units import counted


def history_text(rows: Sequence[OutboxRow], silences: Sequence[Silence] = ()) -> str:
    """Messages and silences, the newest first: when, to whom, what, and what became of it."""
    lines = [(row.created_s, _message(row)) for row in rows]
    oldest_s = min((row.created_s for row in rows), default=0.0)
    lines += [(one.from_s, _silence(one)) for one in silences if one.from_s >= oldest_s]
    return "\n".join(clean(line) for _, line in sorted(lines, reverse=True)) or "nothing was sent yet"


def _message(row: OutboxRow) -> str:
    tries = f" after {counted(row.tries, 'try', 'tries')}" if row.tries > 1 else ""
    became = f"taken{tries} ({row.answer})" if row.sent_s is not None else "waiting"
    if row.sent_s is None and row.tries:
        became = f"waiting, {counted(row.tries, 'try', 'tries')} failed ({row.answer})"
    return f"{stamp(row.created_s)}  {row.channel}  {row.notice.text}: {became}"


def _silence(silence: Silence) -> str:
    by = f" by {silence.by}" if silence.by else ""
    ended = f", ended {stamp(silence.removed_s)}" if silence.removed_s is not None else ""
    return f"{stamp(silence.from_s)}  {silence}{by} ({silence.matcher}){ended}"
