"""The file of `dbz monitor test`, schema `dbz.monitor-test/1`: what happens, and who must be told what and when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from dbz.config.grammar.conditions import SentenceReader
from dbz.config.grammar.samples import parse_samples
from dbz.config.grammar.watched import Watched
from dbz.config.monitor.channels import LOG
from dbz.config.monitor.file import DEFAULT, MonitorFile, load_monitor
from dbz.config.monitor.kinds import TELLS, WatchedThing
from dbz.config.monitor.matching import AlertMatcher
from dbz.config.monitor.moments import LocalTime, Moment, seconds_of
from dbz.config.monitor.routes import Inhibition, MuteTime, Zone
from dbz.config.source.files import existing_file
from dbz.config.source.model import Duration, Strict, build
from dbz.config.source.source import read_yaml
from dbz.errors import ConfigError, Problem
from dbz.suggest import did_you_mean
from dbz.units import format_duration

UP = "up"
"""Not a figure: whether the health path gives a good answer, 1 or 0."""
_MOST_ROUNDS = 1_000_000


def _as_text(value: object) -> object:
    """A single number is written without quotes, and YAML reads it as one."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class GivenSeries(Strict):
    """What one target tells of one metric."""

    target: str
    metric: str
    """As in the sentences of rules, or `up` for the answers of the health path, 1 or 0 [default of `up`: 1]."""
    values: Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | float)]
    """One reading each interval: `100x6 2500x12 _x3`, with `_` for none, and `10+5%x4` for 10 %, 15 %, 20 %, 25 %."""

    @model_validator(mode="after")
    def _can_be_read(self) -> GivenSeries:
        self.samples()
        return self

    def watched(self) -> Watched | None:
        """The metric, None for `up`; `ValueError` for what is neither."""
        if self.metric == UP:
            return None
        reader = SentenceReader(self.metric)
        metric = reader.metric()
        reader.end("nothing more")
        return metric

    def samples(self) -> list[float | None]:
        """The readings, in the unit of the metric."""
        return parse_samples(self.values, self.watched())


class GivenSilence(AlertMatcher):
    """A silence that somebody has added."""

    begin: Moment = Field("0s", alias="from")
    end: Moment = Field(alias="to")
    why: str = "silenced by the test"


class ExpectedTelling(Strict):
    """What somebody must be told."""

    at: Moment
    type: str
    target: str = ""
    """Needed where several things are watched."""
    event: Literal["firing", "resolved", "still firing"] = "firing"
    to: list[str] = Field(min_length=1)
    """The channels, all of them; `log` where no other is told."""


class RuleTest(Strict):
    """Some time, and all that people are told in it."""

    name: str = Field(min_length=1, max_length=120)
    start: LocalTime | None = None
    """When it begins [default: that of the file]."""
    lasts: Duration | None = Field(None, alias="for")
    """[default: as long as the longest series]"""
    series: list[GivenSeries] = Field(min_length=1)
    silences: list[GivenSilence] = Field(default_factory=list)
    mute: list[MuteTime] | None = None
    """Instead of those of the monitor file."""
    inhibit: list[Inhibition] | None = None
    """Instead of those of the monitor file."""
    about: list[str] = Field(default_factory=list)
    """Types of alerts that it is about; what is told of others does not matter [default: all]."""
    expect: list[ExpectedTelling]
    """All that is told; an empty list for nothing."""

    def length_s(self, period_s: float) -> float:
        """How long it lasts, in seconds; a series that is shorter goes on with its last reading."""
        return self.lasts or max(len(series.samples()) for series in self.series) * period_s


class MonitorTests(Strict):
    """Tests of the rules and routes of a monitor file, each on a clock of its own."""

    schema_: Literal["dbz.monitor-test/1"] = Field(alias="schema")
    monitor: str = DEFAULT
    """The monitor file, from the folder of this one; `default` is the bundled one. Its secrets need not be known."""
    start: LocalTime = "2026-01-05 09:00"
    """When tests begin, by the clock of `zone`; the default is a Monday morning."""
    zone: Zone = "UTC"
    interval: Duration | None = Field(None, gt=0)
    """[default: that of the monitor file]"""
    tests: list[RuleTest] = Field(min_length=1)

    def start_of(self, test: RuleTest) -> datetime:
        """When a test begins."""
        return datetime.fromisoformat(test.start or self.start).replace(tzinfo=ZoneInfo(self.zone))


def load_monitor_tests(text: str) -> tuple[MonitorTests, MonitorFile]:
    """A file of tests, and the monitor file that it is about; `ConfigError` with every problem in them."""
    path = existing_file("test", text)
    source = read_yaml(path)
    tests = build(MonitorTests, source)
    place = tests.monitor if tests.monitor == DEFAULT else str(Path(path).parent / tests.monitor)
    config = load_monitor(place, with_secrets=False)
    if tests.interval is not None:
        config = config.model_copy(update={"interval": tests.interval})
    problems = [
        Problem(source.where(("tests", index, *location)), what)
        for index, test in enumerate(tests.tests)
        for location, what in _misfits(tests, test, config)
    ]
    if problems:
        raise ConfigError(problems)
    return tests, config


_Misfits = Iterator[tuple[tuple[str | int, ...], str]]


def _misfits(tests: MonitorTests, test: RuleTest, config: MonitorFile) -> _Misfits:
    """What of a test does not fit the monitor file, each with its place in the test."""
    types = {name for thing in config.watched for name in config.types_of(thing)}
    start, length_s = tests.start_of(test), test.length_s(config.interval)
    yield from _of_series(test, {thing.name: thing for thing in config.watched})
    yield from _of_silences(test, [thing.name for thing in config.watched], types, start)
    yield from ((("about",), _unknown("alert", name, types)) for name in test.about if name not in types)
    for index, expected in enumerate(test.expect):
        yield from ((("expect", index), what) for what in _of_expected(expected, test, config))
        if not 0 < seconds_of(expected.at, start) <= length_s:
            yield ("expect", index), f"{expected.at} is not within the test, which lasts {format_duration(length_s)}"
    if length_s > _MOST_ROUNDS * config.interval:
        yield (), f"it has more than {_MOST_ROUNDS:,} rounds"


def _of_series(test: RuleTest, things: Mapping[str, WatchedThing]) -> _Misfits:
    for index, series in enumerate(test.series):
        place = ("series", index)
        thing, metric = things.get(series.target), series.watched()
        if thing is None:
            yield place, _unknown("target", series.target, things)
        elif metric is not None and metric not in TELLS[thing.kind]:
            yield place, f"'{thing.name}' is one of {thing.kind} and never tells its {metric.value}"
        if any((series.target, metric) == (one.target, one.watched()) for one in test.series[:index]):
            yield place, f"the {series.metric} of {series.target} is there twice"


def _of_silences(test: RuleTest, targets: Sequence[str], types: Collection[str], start: datetime) -> _Misfits:
    for index, silence in enumerate(test.silences):
        place = ("silences", index)
        if seconds_of(silence.begin, start) >= seconds_of(silence.end, start):
            yield place, f"it ends ({silence.end}) before it begins ({silence.begin})"
        yield from ((place, _unknown("target", name, targets)) for name in silence.target if name not in targets)
        yield from ((place, _unknown("alert", name, types)) for name in silence.type if name not in types)


def _of_expected(expected: ExpectedTelling, test: RuleTest, config: MonitorFile) -> Iterator[str]:
    things = {thing.name: thing for thing in config.watched}
    if not expected.target and len(things) > 1:
        yield f"which target? (known: {', '.join(things)})"
    elif expected.target and expected.target not in things:
        yield _unknown("target", expected.target, things)
    else:
        thing = things[expected.target or next(iter(things))]
        if expected.type not in (types := config.types_of(thing)):
            yield _unknown("alert", expected.type, types)
        elif test.about and expected.type not in test.about:
            yield f"{expected.type} is not what the test is about"
    channels = [LOG, *config.channels]
    yield from (_unknown("channel", name, channels) for name in expected.to if name not in channels)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    return f"there is no {what} '{name}'{did_you_mean(name, list(known))} (known: {', '.join(known)})"
