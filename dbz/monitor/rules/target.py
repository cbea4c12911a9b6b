"""All rules of one target: what a reading means for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.alerts import BUILT_IN, AlertRule
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.kinds import WatchedThing
from dbz.monitor.rules.alert import Alert
from dbz.monitor.rules.alerts import AlertStanding, AlertTracker, OutageTracker
from dbz.monitor.rules.objectives import ObjectiveMinute, ObjectiveRules
from dbz.monitor.sources.reading import SourceReading

_SPEAKS_WITHIN_ROUNDS = 3
"""A figure that has not been told by then is missed aloud: the first round has no rates yet."""


class TargetRules:
    """All that is followed of one target; `alerts` are all of its alerts, as they are."""

    def __init__(
        self,
        config: MonitorFile,
        thing: WatchedThing,
        standings: Mapping[tuple[str, str], AlertStanding],
        minutes: Sequence[ObjectiveMinute] = (),
    ) -> None:
        self.name, labels = thing.name, thing.labels
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
        self.alerts = [
            Alert(
                rule.type, self.name, rule.severity, {**labels, **rule.labels}, self._trackers[rule.type].standing, rule
            )
            for rule in self._rules
        ]
        self._down_alert, self._silent_alert = (
            Alert(type_, self.name, BUILT_IN[type_], labels, outage.standing)
            for type_, outage in (("TARGET_DOWN", self._down), ("NO_DATA", self._silent))
        )
        self._objectives = [
            ObjectiveRules(objective, self.name, labels, config.interval, standings, minutes)
            for objective in config.objectives_of(thing)
        ]
        self.alerts += [self._down_alert, self._silent_alert]
        self.alerts += [alert for objective in self._objectives for alert in objective.alerts]
        self._rounds = 0
        self._told_what_is_missing = False
        self._told: set[Watched] = set()
        self._has_spoken = False

    def update(self, now_s: float, reading: SourceReading) -> None:
        """Take a reading in; `alerts` are then as they are after it."""
        # One that is down tells nothing, and will when it is up.
        self._rounds += reading.up is not False and not reading.settling
        self._told |= reading.figures.keys()
        self._has_spoken |= reading.speaks
        for alert in self.alerts:
            if alert.rule is not None:
                alert.event = self._trackers[alert.type].update(now_s, reading.figures.get(alert.rule.when.metric))
        self._down_alert.event = self._down.update(now_s, self._is_down(reading))
        self._down_alert.why = reading.health
        self._silent_alert.event = self._silent.update(now_s, self._is_silent(reading))
        for objective in self._objectives:
            objective.update(now_s, reading)
        self._silent_alert.why = reading.trouble or "its metrics are gone"

    def minutes(self) -> list[ObjectiveMinute]:
        """What must be kept of what its objectives count."""
        newest = (objective.minute() for objective in self._objectives)
        return [one for one in newest if one is not None]

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
