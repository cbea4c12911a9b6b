"""Tests of rules and routes: given readings through the very engine of the monitor, on a clock of the test's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.matching import AlertMatcher
from dbz.config.monitor.moments import seconds_of
from dbz.config.monitor.testing import ExpectedTelling, MonitorTests, RuleTest
from dbz.monitor.rules.engine import AlertEngine
from dbz.monitor.rules.silences import Silence
from dbz.monitor.sources.reading import SourceReading

_UP, _DOWN = "HTTP 200", "HTTP 503"


@dataclass(frozen=True, order=True)
class Told:
    """Something that was told, or had to be."""

    at_s: float
    """In seconds since the start of the test, at the end of a round."""
    type: str
    target: str
    event: str
    to: tuple[str, ...]
    """Channels, in the order of their names."""

    @property
    def what(self) -> tuple[str, str, str]:
        """Without when and to whom."""
        return self.type, self.target, self.event


@dataclass(frozen=True)
class Mismatch:
    """A telling that had to be and was not (`expected` alone), that was and had not to be (`told` alone), or that was
    otherwise (both)."""

    expected: Told | None
    told: Told | None
    kept_to_log: str = ""
    """Why nobody was told of what was expected, where that is why."""


@dataclass
class TestOutcome:
    """What came of one test."""

    test: RuleTest
    start: datetime
    rounds: int
    told: list[Told] = field(default_factory=list)
    """All that was told of what the test is about, the oldest first."""
    differences: list[Mismatch] = field(default_factory=list)

    __test__ = False  # it is not one of pytest's


def run_tests(tests: MonitorTests, config: MonitorFile) -> Iterator[TestOutcome]:
    """Run every test of a file."""
    for test in tests.tests:
        changes = {name: value for name in ("mute", "inhibit") if (value := getattr(test, name)) is not None}
        yield _run(test, config.model_copy(update=changes), tests.start_of(test))


def _run(test: RuleTest, config: MonitorFile, start: datetime) -> TestOutcome:
    period_s, begin_s = config.interval, start.timestamp()
    rounds = round(test.length_s(period_s) / period_s)
    readings, silences = _Readings(test, config), _silences(test, start)
    engine, outcome = AlertEngine(config, {}), TestOutcome(test, start, rounds)
    kept: dict[tuple[str, str], str] = {}
    for number in range(1, rounds + 1):
        now_s = begin_s + number * period_s
        local = datetime.fromtimestamp(now_s, start.tzinfo)
        step = engine.step(now_s, local, readings.of(number - 1), silences)
        for index, why in step.suppressed.items():
            kept[step.alerts[index].type, step.alerts[index].target] = why
        outcome.told += [
            Told(number * period_s, one.notice.type, one.notice.target, one.notice.event, tuple(sorted(one.channels)))
            for one in step.tellings
            if not test.about or one.notice.type in test.about
        ]
    expected = [_expected(one, config, start) for one in test.expect]
    outcome.differences = list(_differences(expected, outcome.told, kept))
    return outcome


class _Readings:
    """The readings of each round; a series goes on with its last one."""

    def __init__(self, test: RuleTest, config: MonitorFile) -> None:
        self._silent = {thing.name: SourceReading() for thing in config.watched}
        self._series: defaultdict[str, dict[Watched | None, list[float | None]]] = defaultdict(dict)
        for series in test.series:
            self._series[series.target][series.watched()] = series.samples()

    def of(self, number: int) -> dict[str, SourceReading]:
        """Of the round with a number, counted from 0; a target without series says nothing."""
        readings = dict(self._silent)
        for target, series in self._series.items():
            now = {metric: values[min(number, len(values) - 1)] for metric, values in series.items()}
            up = now.pop(None, 1.0)
            figures = {metric: value for metric, value in now.items() if metric is not None and value is not None}
            readings[target] = SourceReading(None if up is None else bool(up), _UP if up else _DOWN, figures)
        return readings


def _silences(test: RuleTest, start: datetime) -> list[Silence]:
    return [
        Silence(
            number,
            AlertMatcher(severity=one.severity, type=one.type, target=one.target, labels=one.labels),
            start.timestamp() + seconds_of(one.begin, start),
            start.timestamp() + seconds_of(one.end, start),
            one.why,
        )
        for number, one in enumerate(test.silences, 1)
    ]


def _expected(one: ExpectedTelling, config: MonitorFile, start: datetime) -> Told:
    """As it would be told: at the end of the round that the moment is in."""
    period_s = config.interval
    rounds = -int(-seconds_of(one.at, start) // period_s)
    target = one.target or config.watched[0].name
    return Told(rounds * period_s, one.type, target, one.event, tuple(sorted(one.to)))


def _differences(
    expected: Sequence[Told], told: Sequence[Told], kept: dict[tuple[str, str], str]
) -> Iterator[Mismatch]:
    """What is left when everything that is the same is taken away, with what is nearest to it."""
    left = list(told)
    missing = []
    for one in expected:
        if one in left:
            left.remove(one)
        else:
            missing.append(one)
    for one in missing:
        likely = [other for other in left if other.what == one.what]
        nearest = min(likely, key=lambda other: abs(other.at_s - one.at_s), default=None)
        if nearest is not None:
            left.remove(nearest)
        yield Mismatch(one, nearest, "" if nearest else kept.get((one.type, one.target), ""))
    for one in left:
        yield Mismatch(None, one)
