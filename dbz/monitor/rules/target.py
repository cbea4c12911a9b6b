"""All rules of one target: what a reading means for each of them, and what is told because of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.alerts import BUILT_IN, AlertRule
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.kinds import WatchedThing
from dbz.monitor.rules.alerts import AlertEvent, AlertStanding, AlertTracker, OutageTracker
from dbz.monitor.rules.notices import STILL_FIRING, is_due_again, outage_notice, rule_notice, to_outbox
from dbz.monitor.sources.reading import SourceReading
from dbz.monitor.store.store import Notice, Round

_SPEAKS_WITHIN_ROUNDS = 3
"""A figure that has not been told by then is missed aloud: the first round has no rates yet."""


class TargetRules:
    """All that is followed of one target."""

    def __init__(
        self, config: MonitorFile, thing: WatchedThing, standings: Mapping[tuple[str, str], AlertStanding]
    ) -> None:
        self.name = thing.name
        self._config = config
        self._rules = config.rules_of(thing)
        kept = {type_: standing for (name, type_), standing in standings.items() if name == thing.name}
        self._trackers = {
            rule.type: AlertTracker(
                rule.when,
                config.interval,
                resolve=rule.resolve,
                keep_firing_s=rule.keep_firing_for,
                standing=kept.get(rule.type),
            )
            for rule in self._rules
        }
        self._down = OutageTracker(config.down_after, kept.get("TARGET_DOWN"))
        self._silent = OutageTracker(config.no_data_after, kept.get("NO_DATA"))
        self._rounds = 0
        self._told_what_is_missing = False
        self._told: set[Watched] = set()
        self._has_spoken = False

    def update(self, now_s: float, reading: SourceReading, done: Round, local: datetime) -> list[Notice]:
        """Take a reading in, add to the round what must be kept of it, and give what is to be shown."""
        self._rounds += reading.up is not False  # one that is down tells nothing, and will when it is up
        self._told |= reading.figures.keys()
        self._has_spoken |= reading.speaks
        notices = []
        for rule in self._rules:
            tracker = self._trackers[rule.type]
            event: str | None = tracker.update(now_s, reading.figures.get(rule.when.metric))
            about = (rule.type, rule.severity, self.name)
            if event is None and is_due_again(self._config, *about, tracker.standing, now_s, local):
                event = self._again(tracker.standing)
            if event:
                notice = rule_notice(rule, self.name, event, tracker.standing, now_s)
                notices += self._keep(notice, tracker.standing, now_s, done, local)
            done.standings[self.name, rule.type] = tracker.standing
        notices += self._outage("TARGET_DOWN", self._down, self._is_down(reading), reading.health, now_s, done, local)
        why = reading.trouble or "its metrics are gone"
        notices += self._outage("NO_DATA", self._silent, self._is_silent(reading), why, now_s, done, local)
        return notices

    def not_told(self) -> list[AlertRule]:
        """Once, when it can be known: the rules about figures that the target does not tell."""
        if self._told_what_is_missing or self._rounds < _SPEAKS_WITHIN_ROUNDS:
            return []
        self._told_what_is_missing = True
        return [rule for rule in self._rules if rule.when.metric not in self._told]

    @staticmethod
    def _is_down(reading: SourceReading) -> bool | None:
        return None if reading.up is None else not reading.up

    def _is_silent(self, reading: SourceReading) -> bool | None:
        """Not while it is down, which is told already, nor when it never told anything."""
        return None if reading.up is False or not self._has_spoken else not reading.speaks

    @staticmethod
    def _again(standing: AlertStanding) -> str:
        return STILL_FIRING if standing.told_s else AlertEvent.FIRING

    def _outage(
        self, type_: str, tracker: OutageTracker, is_out: bool | None, why: str, now_s: float, done: Round,
        local: datetime,
    ) -> list[Notice]:  # fmt: skip
        severity, standing = BUILT_IN[type_], tracker.standing
        event: str | None = tracker.update(now_s, is_out)
        done.standings[self.name, type_] = standing
        if event is None and is_due_again(self._config, type_, severity, self.name, standing, now_s, local):
            event = self._again(standing)
        if event is None:
            return []
        notice = outage_notice(type_, severity, self.name, event, standing, why, now_s)
        return self._keep(notice, standing, now_s, done, local)

    def _keep(
        self, notice: Notice, standing: AlertStanding, now_s: float, done: Round, local: datetime
    ) -> list[Notice]:
        rows = list(to_outbox(self._config, notice, standing, now_s, local))
        done.outbox += rows
        return [notice]
