"""What a running monitor has seen last: the newest reading of each thing, where each rule is, the last messages."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dbz.config.grammar.conditions import Condition
from dbz.config.grammar.watched import Watched
from dbz.config.monitor.alerts import BUILT_IN
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.kinds import WatchedKind, WatchedThing
from dbz.monitor.rules.alerts import AlertStanding, AlertState
from dbz.monitor.sources.reading import SourceReading
from dbz.monitor.watch import Said

REMEMBERED = 60
"""Values of a sparkline, and messages."""
_FIRST = (Watched.RESPONSE_TIME, Watched.ROUND_TRIP, Watched.PROBE_TIME)
"""What a sparkline shows: the first of these that is told."""
_URGENCY = (AlertState.FIRING, AlertState.PENDING, AlertState.OK)


@dataclass(frozen=True)
class RuleNow:
    """Where one rule of one thing is."""

    thing: str
    type: str
    severity: str
    standing: AlertStanding
    condition: Condition | None
    """None of the alerts that need no rule."""

    @property
    def used(self) -> float | None:
        """How much of the way to its limit is used: 1 at the limit; None where that is not known."""
        value, condition = self.standing.value, self.condition
        if value is None or condition is None or not condition.limit:
            return None
        if condition.op.startswith(">"):
            return value / condition.limit
        return condition.limit / value if value > 0 else None


@dataclass(frozen=True)
class Thing:
    """Something that is watched, as it was last."""

    name: str
    kind: WatchedKind
    reading: SourceReading | None
    """None before it was asked first."""
    recent: Sequence[float | None]
    """The figure of its sparkline, the oldest first."""


@dataclass(frozen=True)
class WatchedNow:
    """All of it at one moment."""

    things: Sequence[Thing]
    rules: Sequence[RuleNow]
    """Firing ones first, then pending ones, then by how near they are to their limit."""
    messages: Sequence[Said]
    """Notices and notes, the newest first."""
    watched_s: float
    """Since the monitor began."""
    age_s: float | None
    """Since the last round; None before it."""


class WatchingFigures:
    """Takes in what a monitor says, and says how things are."""

    def __init__(self, config: MonitorFile) -> None:
        self._config = config
        self._readings: dict[str, SourceReading] = {}
        self._recent: defaultdict[str, deque[float | None]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._messages: deque[Said] = deque(maxlen=REMEMBERED)
        self._began_s, self._asked_s = time.monotonic(), 0.0

    def take(self, said: Said) -> None:
        """Take in a reading, a notice or a note."""
        if said.reading is None:
            self._messages.appendleft(said)
            return
        self._asked_s = time.monotonic()
        self._readings[said.target] = said.reading
        figure = next((said.reading.figures[of] for of in _FIRST if of in said.reading.figures), None)
        self._recent[said.target].append(figure)

    def now(self, standings: Mapping[tuple[str, str], AlertStanding]) -> WatchedNow:
        """How things are, with where each alert is."""
        things = [
            Thing(one.name, one.kind, self._readings.get(one.name), tuple(self._recent[one.name]))
            for one in self._config.watched
        ]
        rules = [rule for one in self._config.watched for rule in self._rules(one, standings)]
        rules.sort(key=lambda one: (_URGENCY.index(one.standing.state), -(one.used or 0.0)))
        moment_s = time.monotonic()
        age_s = moment_s - self._asked_s if self._asked_s else None
        return WatchedNow(things, rules, tuple(self._messages), moment_s - self._began_s, age_s)

    def _rules(self, thing: WatchedThing, standings: Mapping[tuple[str, str], AlertStanding]) -> list[RuleNow]:
        rows = [(rule.type, rule.severity, rule.when) for rule in self._config.rules_of(thing)]
        found = [
            RuleNow(thing.name, type_, severity, standings.get((thing.name, type_), AlertStanding()), when)
            for type_, severity, when in rows
        ]
        return found + [
            RuleNow(thing.name, type_, severity, standing, None)
            for type_, severity in BUILT_IN.items()
            if (standing := standings.get((thing.name, type_), AlertStanding())).state is not AlertState.OK
        ]
