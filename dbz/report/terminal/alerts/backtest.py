"""When rules would have fired, as plain data and in lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dbz.config.monitor.incidents import Incident
from dbz.monitor.replay.follow import AlertOutcome, Firing, RuleReplay
from dbz.monitor.replay.incidents import judged
from dbz.monitor.replay.proposals import Proposal
from dbz.report.terminal.alerts.stamp import stamp
from dbz.report.terminal.console import clean
from dbz.units import counted, format_duration, format_number

_WEEK_S = 7 * 86_400.0
_MOST_SHOWN = 12


def backtest_rows(
    replay: RuleReplay, incidents: Sequence[Incident], proposals: dict[str, Proposal]
) -> list[dict[str, Any]]:
    """What would have become of each rule, as plain data; times are in seconds since the epoch."""
    return [_row(one, replay, incidents, proposals.get(one.type)) for one in replay.outcomes.values()]


def _row(
    one: AlertOutcome, replay: RuleReplay, incidents: Sequence[Incident], proposal: Proposal | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"type": one.type, "severity": one.severity}
    if one.rule is not None:
        row |= {"when": str(one.rule.when), "judged": bool(one.readings), "worst": one.worst}
    row |= {"firings": [asdict(firing) for firing in one.firings], "a_week": _a_week(len(one.firings), replay)}
    if incidents:
        judgement = judged(one, incidents)
        row |= {"true": len(judgement.true), "false": len(judgement.false)}
        row["missed"] = [asdict(incident) for incident in judgement.missed]
        row["detected_after_s"] = list(judgement.detected_after_s.values())
    if proposal is not None:
        row["proposal"] = {"when": None if proposal.when is None else str(proposal.when), "evidence": proposal.evidence}
    return row


def _a_week(count: int, replay: RuleReplay) -> float | None:
    """How many a week that is; None for less than a day, which says nothing of weeks."""
    return round(count * _WEEK_S / replay.length_s, 2) if replay.length_s >= 86_400 else None


def backtest_text(replay: RuleReplay, incidents: Sequence[Incident], proposals: dict[str, Proposal]) -> str:
    """The same in lines."""
    lines = [
        f"{one.name}: {format_duration(round(one.length_s))}, read every {format_duration(one.period_s)}"
        for one in replay.recordings
    ]
    for one in replay.outcomes.values():
        if one.rule is None and not one.firings:
            continue
        lines += [clean(line) for line in _lines(one, replay, incidents, proposals.get(one.type))]
    week = [
        f"{channel} {format_number(rate)}"
        for channel, count in replay.messages.items()
        if (rate := _a_week(count, replay)) is not None
    ]
    return "\n".join([*lines, *([f"messages a week: {', '.join(week)}"] if week else [])])


def _lines(
    one: AlertOutcome, replay: RuleReplay, incidents: Sequence[Incident], proposal: Proposal | None
) -> list[str]:
    when = f" ({one.rule.when})" if one.rule is not None else ""
    if one.rule is not None and one.worst is None:
        return [f"{one.type}{when}: not judged, nothing there tells its {one.rule.when.metric.value}"]
    worst = (
        "" if one.rule is None or one.worst is None else f"; its worst value is {one.rule.when.value_text(one.worst)}"
    )
    if one.firings:
        shown = [_firing(firing, replay) for firing in one.firings[:_MOST_SHOWN]]
        more = len(one.firings) - len(shown)
        shown += [f"and {counted(more, 'time')} more"] if more else []
        rate = _a_week(len(one.firings), replay)
        often = "" if rate is None else f"; {format_number(rate)} a week"
        lines = [f"{one.type}{when}: FIRES {', '.join(shown)}{often}{worst}"]
    else:
        lines = [f"{one.type}{when}: would not have fired{worst}"]
    if incidents:
        lines.append(f"    {_judgement(one, incidents)}")
    if proposal is not None:
        limit = "no proposal" if proposal.when is None else f"proposal: {proposal.when}"
        mark = "; was something wrong then? mark it with --incidents" if one.firings and not incidents else ""
        lines.append(f"    {limit}; {proposal.evidence}{mark}")
    return lines


def _firing(firing: Firing, replay: RuleReplay) -> str:
    lasted = " until the end"
    if firing.end_s is not None:
        lasted = f" for {format_duration(round(firing.end_s - firing.begin_s))}"
    several = len({target for recording in replay.recordings for target in recording.targets}) > 1
    of = f"{firing.target} " if several else ""
    if len(replay.recordings) == 1:
        return f"{of}after {format_duration(round(firing.begin_s - replay.recordings[0].start_s))}{lasted}"
    return f"{of}{stamp(firing.begin_s)}{lasted}"


def _judgement(one: AlertOutcome, incidents: Sequence[Incident]) -> str:
    judgement = judged(one, incidents)
    parts = [f"{counted(len(judgement.true), 'true alert')}, {len(judgement.false)} false"]
    if judgement.detected_after_s:
        times = sorted(judgement.detected_after_s.values())
        usual = format_duration(round(times[len(times) // 2]))
        longest = f", at most {format_duration(round(times[-1]))}" if len(times) > 1 else ""
        parts.append(f"{counted(len(times), 'incident')} detected after {usual}{longest}")
    missed = [f"{stamp(one.begin_s)}{f' ({one.what})' if one.what else ''}" for one in judgement.missed[:_MOST_SHOWN]]
    parts += [f"{len(judgement.missed)} missed: {', '.join(missed)}"] if missed else []
    return "; ".join(parts)
