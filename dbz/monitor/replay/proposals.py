"""Limits that recorded time speaks for, and the evidence.

A rule `metric > limit for 4 of 5 minutes` fires when the M-th highest of its last N readings is above the limit. That
value, followed through time, says of every limit when it would have fired: no limit at or above its highest value in
quiet time pages without cause, and one below its highest value in an incident detects that incident.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dbz.config.grammar.conditions import Condition
from dbz.config.monitor.alerts import AlertRule
from dbz.config.monitor.incidents import Incident
from dbz.monitor.replay.recording import RecordedReadings

_DIGITS = 3


@dataclass(frozen=True)
class Proposal:
    """A limit for a rule."""

    when: Condition | None
    """The rule with the limit; None when no limit tells quiet time and incidents apart."""
    evidence: str


def proposals(
    rules: Sequence[AlertRule], recordings: Sequence[RecordedReadings], incidents: Sequence[Incident]
) -> dict[str, Proposal]:
    """A limit for each rule whose metric recorded time tells, by the type of the rule."""
    held: dict[Condition, list[tuple[float, float]]] = {}
    found = {rule.type: _proposal(rule, recordings, incidents, held) for rule in rules}
    return {type_: one for type_, one in found.items() if one is not None}


def _proposal(
    rule: AlertRule,
    recordings: Sequence[RecordedReadings],
    incidents: Sequence[Incident],
    held: dict[Condition, list[tuple[float, float]]],
) -> Proposal | None:
    """`held` is what rules before this one have looked up, by their conditions with a limit of 0."""
    when = rule.when
    sign = 1.0 if when.op.startswith(">") else -1.0
    about = [one for one in incidents if not one.type or rule.type in one.type]
    key = replace(when, op=when.op[0], limit=0.0)
    if key not in held:
        held[key] = [one for recording in recordings for one in held_values(when, sign, recording)]
    quiet: list[float] = []
    highest = dict.fromkeys(about, -math.inf)
    for at_s, value in held[key]:
        during = [one for one in about if one.begin_s <= at_s <= one.end_s]
        for incident in during:
            highest[incident] = max(highest[incident], value)
        if not during and not any(one.end_s < at_s <= one.end_s + when.window_s for one in about):
            quiet.append(value)
    if not quiet:
        return None
    if about:
        return _between(when, sign, max(quiet), highest)
    return _beyond_quiet(when, sign, sorted(quiet))


def held_values(when: Condition, sign: float, recording: RecordedReadings) -> Iterator[tuple[float, float]]:
    """Of each period that has enough of them the M-th highest of the last N readings, with `sign` before all values.

    The first item is the end of the period in seconds since the epoch.
    """
    held, window = when.samples(recording.period_s)
    for target in recording.targets:
        newest: deque[float | None] = deque()
        ordered: list[float] = []
        for number in range(max(recording.rounds, default=-1) + 1):
            reading = recording.rounds.get(number, {}).get(target)
            value = None if reading is None else reading.figures.get(when.metric)
            newest.append(None if value is None else sign * value)
            if value is not None:
                insort(ordered, sign * value)
            if len(newest) > window and (old := newest.popleft()) is not None:
                del ordered[bisect_left(ordered, old)]
            if value is not None and len(ordered) >= held:
                yield recording.start_s + (number + 1) * recording.period_s, ordered[-held]


def _between(when: Condition, sign: float, quiet: float, highest: dict[Incident, float]) -> Proposal:
    """The smallest limit without a false page, when that detects every incident."""
    lowest = min(highest.values())
    beyond = when.op.endswith("=")
    limit = rounded_up(quiet, beyond=beyond)
    if not limit < lowest and not beyond:
        limit = quiet
    seen = f"what held for long enough in quiet time reached {when.value_text(sign * quiet)}"
    if not limit < lowest:
        missed = sum(quiet >= value for value in highest.values())
        return Proposal(
            None,
            f"no limit tells them apart: {seen}, and {missed} of {len(highest)} incidents come no further",
        )
    nearest = f"the mildest incident reaches {when.value_text(sign * lowest)}"
    return Proposal(
        replace(when, limit=sign * limit),
        f"detects {len(highest)} of {len(highest)} incidents without a false page: {seen}, {nearest}",
    )


def _beyond_quiet(when: Condition, sign: float, quiet: Sequence[float]) -> Proposal:
    """Without incidents: a limit that was never reached for long enough, and how near it usually comes."""
    often = quiet[min(math.ceil(0.999 * len(quiet)), len(quiet)) - 1]
    reached, usually = when.value_text(sign * quiet[-1]), when.value_text(sign * often)
    return Proposal(
        replace(when, limit=sign * rounded_up(quiet[-1], beyond=when.op.endswith("="))),
        f"no incidents are marked: in {len(quiet):,} periods it would never have fired; what held for long enough "
        f"reached {reached}, and in 99.9 % of them no more than {usually}",
    )


def rounded_up(value: float, *, beyond: bool) -> float:
    """The next number up with so few digits that people would write it; never the value itself where `beyond`."""
    if value == 0:
        return 1e-3 if beyond else 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - _DIGITS + 1)
    steps = math.ceil(value / step - 1e-9)
    return round((steps + (beyond and steps * step <= value * (1 + 1e-9))) * step, 12)
