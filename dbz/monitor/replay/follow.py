"""What the rules would have made of a recording: the engine of the monitor, on the clock of the recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dbz.config.monitor.alerts import AlertRule
from dbz.config.monitor.channels import LOG
from dbz.config.monitor.file import MonitorFile
from dbz.monitor.replay.recording import RecordedReadings, replayed_config, silent
from dbz.monitor.rules.alerts import AlertEvent
from dbz.monitor.rules.engine import AlertEngine, RoundOutcome


@dataclass(frozen=True)
class Firing:
    """One alert that would have been told; times are in seconds since the epoch."""

    target: str
    begin_s: float
    end_s: float | None
    """None when it was still on at the end."""

    def overlaps(self, begin_s: float, end_s: float) -> bool:
        """Whether it was on at some time between two moments."""
        return self.begin_s <= end_s and (self.end_s is None or self.end_s >= begin_s)


@dataclass
class AlertOutcome:
    """What would have become of one alert, over all recordings."""

    type: str
    severity: str
    rule: AlertRule | None = None
    """None for alerts that need no rule, and those of objectives."""
    readings: int = 0
    """How many periods had a value for it; without any a rule could not be judged."""
    worst: float | None = None
    """The value that came nearest to the limit, or went furthest beyond it."""
    firings: list[Firing] = field(default_factory=list)


@dataclass
class RuleReplay:
    """What would have become of all rules."""

    recordings: Sequence[RecordedReadings]
    outcomes: dict[str, AlertOutcome] = field(default_factory=dict)
    """By the type of the alert, in the order of the file."""
    messages: dict[str, int] = field(default_factory=dict)
    """How many each channel would have got, groups as one; the log is none."""

    @property
    def length_s(self) -> float:
        """How much time was replayed."""
        return sum(recording.length_s for recording in self.recordings)


def replay(config: MonitorFile, recordings: Sequence[RecordedReadings]) -> RuleReplay:
    """Follow every rule through recordings, each from a clean beginning."""
    done = RuleReplay(recordings)
    for recording in recordings:
        _follow(replayed_config(config, recording), recording, done)
    return done


def _follow(config: MonitorFile, recording: RecordedReadings, done: RuleReplay) -> None:
    engine, nothing = AlertEngine(config, {}), silent(config)
    for alert in engine.alerts:
        done.outcomes.setdefault(alert.type, AlertOutcome(alert.type, alert.severity, alert.rule))
    began: dict[tuple[str, str], float] = {}
    for number in range(max(recording.rounds, default=-1) + 1):
        now_s = recording.start_s + (number + 1) * recording.period_s
        readings = {**nothing, **recording.rounds.get(number, {})}
        outcome = engine.step(now_s, datetime.fromtimestamp(now_s).astimezone(), readings)
        _count_messages(outcome, done)
        for alert in outcome.alerts:
            if alert.rule is not None:
                _note_value(done.outcomes[alert.type], readings[alert.target].figures.get(alert.rule.when.metric))
            if alert.event is AlertEvent.FIRING:
                began[alert.type, alert.target] = now_s
            elif alert.event is AlertEvent.RESOLVED:
                firing = Firing(alert.target, began.pop((alert.type, alert.target)), now_s)
                done.outcomes[alert.type].firings.append(firing)
    for (type_, target), begin_s in began.items():
        done.outcomes[type_].firings.append(Firing(target, begin_s, None))


def _note_value(outcome: AlertOutcome, value: float | None) -> None:
    if value is None or outcome.rule is None:
        return
    outcome.readings += 1
    known = value if outcome.worst is None else outcome.worst
    outcome.worst = max(known, value) if outcome.rule.when.op.startswith(">") else min(known, value)


def _count_messages(outcome: RoundOutcome, done: RuleReplay) -> None:
    messages = {
        (channel, one.notice.group or one.key) for one in outcome.tellings for channel in one.channels if channel != LOG
    }
    for channel, _ in messages:
        done.messages[channel] = done.messages.get(channel, 0) + 1
