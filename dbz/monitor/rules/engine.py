"""The rules of a whole file, round by round. The monitor runs it by the clock, tests of rules by one of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dbz.config.monitor.alerts import AlertRule
from dbz.config.monitor.file import MonitorFile
from dbz.monitor.rules.alert import Alert, GoneAlert
from dbz.monitor.rules.alerts import AlertStanding, AlertState
from dbz.monitor.rules.notices import STILL_FIRING
from dbz.monitor.rules.objectives import ObjectiveMinute
from dbz.monitor.rules.silences import Silence
from dbz.monitor.rules.target import TargetRules
from dbz.monitor.rules.telling import AlertTeller, Telling
from dbz.monitor.sources.reading import SourceReading
from dbz.monitor.store.store import Notice, Round


@dataclass
class RoundOutcome:
    """What a round of readings means."""

    alerts: list[Alert]
    """All of them, as they are now."""
    suppressed: dict[int, str]
    """Why an alert is kept to the log, by its index in `alerts`."""
    tellings: list[Telling]
    """Who is told what."""
    unjudged: list[tuple[str, AlertRule]] = field(default_factory=list)
    """Rules of which it is now known that a target never tells what they need."""

    minutes: list[ObjectiveMinute] = field(default_factory=list)
    """What must be kept of what objectives have counted."""

    def log(self, now_s: float) -> list[tuple[Notice, str]]:
        """What the log has: all that happened, and what is told later or again, each with a remark on that."""
        events = [
            (alert.notice(alert.event, now_s), f"kept to the log: {why}" if why else "")
            for index, alert in enumerate(self.alerts)
            if alert.event is not None
            for why in (self.suppressed.get(index, ""),)
        ]
        logged = {(notice.type, notice.target, notice.event) for notice, _ in events}
        told = [telling.notice for telling in self.tellings]
        later = [one for one in told if (one.type, one.target, one.event) not in logged]
        return events + [(one, "" if one.event == STILL_FIRING else "told now") for one in later]

    def add_to(self, done: Round) -> None:
        """Add to a round what must be kept of it."""
        done.standings |= {(alert.target, alert.type): alert.standing for alert in self.alerts}
        done.outbox += [row for telling in self.tellings for row in telling.rows()]


class AlertEngine:
    """Follows all rules of a file for all of its targets."""

    def __init__(
        self,
        config: MonitorFile,
        standings: Mapping[tuple[str, str], AlertStanding],
        minutes: Sequence[ObjectiveMinute] = (),
    ) -> None:
        self._targets = [TargetRules(config, thing, standings, minutes) for thing in config.watched]
        self.alerts = [alert for rules in self._targets for alert in rules.alerts]
        """All of them, as they are."""
        self.alerts += _gone(self.alerts, standings)
        self._teller = AlertTeller(config, self.alerts)

    def step(
        self, now_s: float, local: datetime, readings: Mapping[str, SourceReading], silences: Sequence[Silence] = ()
    ) -> RoundOutcome:
        """Take in a reading of each target, by its name.

        `now_s` is in seconds since the epoch and never goes back; `local` is what the clock on the wall says then.
        """
        for rules in self._targets:
            rules.update(now_s, readings[rules.name])
        tellings, suppressed = self._teller.tell(silences, now_s, local)
        unjudged = [(rules.name, rule) for rules in self._targets for rule in rules.not_told()]
        minutes = [one for rules in self._targets for one in rules.minutes()]
        return RoundOutcome(self.alerts, suppressed, tellings, unjudged, minutes)


def _gone(alerts: Sequence[Alert], standings: Mapping[tuple[str, str], AlertStanding]) -> list[Alert]:
    """Alerts of which people know, and of which the file knows no more: they are told that it is over."""
    known = {(alert.target, alert.type) for alert in alerts}
    gone = [
        (target, type_, standing)
        for (target, type_), standing in standings.items()
        if standing.told_since_s and (target, type_) not in known
    ]
    for _, _, standing in gone:
        standing.state = AlertState.OK
    return [GoneAlert(type_, target, "warning", {}, standing) for target, type_, standing in gone]
