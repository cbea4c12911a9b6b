"""Who is told what, and when, by a clock of the test's own: silences, mute times, inhibitions, groups, repeats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.matching import AlertMatcher
from dbz.monitor.rules.alerts import AlertStanding
from dbz.monitor.rules.engine import AlertEngine
from dbz.monitor.rules.silences import Silence
from dbz.monitor.sources.reading import SourceReading
from dbz.monitor.store.store import Round

PERIOD_S = 10.0
START_S = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()


def monitor(**more: Any) -> MonitorFile:
    """A file with the targets `api` and `chat`, and rules that fire and end on the first reading."""
    alerts = [
        {"type": "SLOW", "when": "response time > 1s", "keep_firing_for": "0s", "labels": {"team": "web"}},
        {"type": "FAILING", "when": "error rate > 1%", "keep_firing_for": "0s", "severity": "critical"},
    ]
    targets = [{"name": "api", "url": "http://a"}, {"name": "chat", "url": "http://b", "labels": {"team": "chat"}}]
    routes = [{"to": ["hook"], "repeat": "1h"}]
    channels = {"hook": {"webhook": "http://127.0.0.1:1/"}, "mail": {"webhook": "http://127.0.0.1:1/"}}
    file = {"schema": "dbz.monitor/1", "down_after": "0s", "targets": targets, "alerts": alerts, "routes": routes}
    return MonitorFile.model_validate({**file, "channels": channels, **more})


def reading(slow: bool = False, failing: bool = False, up: bool = True) -> SourceReading:
    figures = {Watched.RESPONSE_TIME: 2000.0 if slow else 10.0, Watched.ERROR_RATE: 0.5 if failing else 0.0}
    return SourceReading(up=up, figures=figures if up else {})


GOOD = reading()


@dataclass
class Clock:
    """Runs an engine round by round; what each round told is kept as (seconds, event, channel)."""

    config: MonitorFile
    silences: list[Silence] = field(default_factory=list)
    told: list[tuple[float, str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.at_s, self.engine = 0.0, AlertEngine(self.config, {})

    def round(self, api: SourceReading = GOOD, chat: SourceReading = GOOD) -> list[str]:
        now_s = START_S + self.at_s
        local = datetime.fromtimestamp(now_s, UTC)
        outcome = self.engine.step(now_s, local, {"api": api, "chat": chat}, self.silences)
        done = Round(now_s)
        outcome.add_to(done)
        events = [f"{row.notice.target} {row.notice.type} {row.notice.event}" for row in done.outbox]
        self.told += [(self.at_s, event, row.channel) for event, row in zip(events, done.outbox, strict=True)]
        self.keys += [row.key for row in done.outbox]
        self.log = [f"{notice.target} {notice.type} {notice.event}; {why}" for notice, why in outcome.log(now_s)]
        self.groups += [row.notice.group for row in done.outbox]
        self.at_s += PERIOD_S
        return events

    def restart(self) -> None:
        """Begin again with what is kept."""
        kept = {of: AlertStanding.from_row(one.to_row()) for of, one in self.standings().items()}
        self.engine = AlertEngine(self.config, kept)

    def standings(self) -> dict[tuple[str, str], AlertStanding]:
        return {(alert.target, alert.type): alert.standing for alert in self.engine.alerts}


def silence(from_s: float, until_s: float, **matcher: Any) -> Silence:
    return Silence(1, AlertMatcher.model_validate(matcher), START_S + from_s, START_S + until_s, "known")


def test_what_is_on_when_a_silence_ends_is_told_then() -> None:
    clock = Clock(monitor(), [silence(0, 60, labels={"team": "web"})])
    rounds = [clock.round(api=reading(slow=True), chat=reading(slow=True))]
    assert clock.log[0].startswith("api SLOW firing; kept to the log: silence 1 until")
    rounds += [clock.round(api=reading(slow=True), chat=reading(slow=True)) for _ in range(7)]
    assert rounds[0] == [] and rounds[6] == ["api SLOW firing", "chat SLOW firing"], "its rule gives the label"
    assert sum(map(len, rounds)) == 2
    clock = Clock(monitor(), [silence(0, 60, target=["chat"])])
    rounds = [clock.round(chat=reading(slow=number < 3)) for number in range(8)]
    assert sum(map(len, rounds)) == 0, "it was over before"


def test_an_end_that_a_silence_kept_to_the_log_is_told_when_it_ends() -> None:
    clock = Clock(monitor(), [silence(10, 60, target=["api"])])
    rounds = [clock.round(api=reading(slow=number < 2)) for number in range(8)]
    assert rounds[0] == ["api SLOW firing"] and rounds[6] == ["api SLOW resolved"] and sum(map(len, rounds)) == 2
    clock = Clock(monitor(), [silence(10, 60, target=["api"])])
    rounds = [clock.round(api=reading(slow=number != 3)) for number in range(8)]
    assert rounds[6] == ["api SLOW resolved", "api SLOW firing"] and sum(map(len, rounds)) == 3
    assert clock.keys == sorted(clock.keys, key=lambda key: key.split("-")[2]), "in order of what happened"


def test_labels_choose_the_route() -> None:
    routes = [{"labels": {"team": "chat"}, "to": ["mail"]}, {"to": ["hook"]}]
    rules = [{"type": "SLOW", "when": "response time > 1s", "labels": {"what": "speed"}}]
    clock = Clock(monitor(routes=routes, alerts=rules))
    clock.round(api=reading(slow=True), chat=reading(slow=True))
    assert [(event, channel) for _, event, channel in clock.told] == [
        ("api SLOW firing", "hook"),
        ("chat SLOW firing", "mail"),
    ]


def test_whatever_is_watched_has_labels() -> None:
    things = {
        "targets": [{"name": "api", "url": "http://a"}],
        "redis": [{"name": "cache", "url": "redis://c"}],
        "stores": [{"name": "docs", "uri": "mongodb://d"}],
        "shards": {"file": "shards.yaml", "name": "clubs"},
        "queues": [{"name": "jobs", "redis": "redis://c", "key": "jobs"}],
        "ecs": [{"name": "tasks", "cluster": "c", "service": "s"}],
        "probes": [{"name": "page", "http": "http://a/"}, {"name": "member", "scenario": "smoke"}],
    }
    every = [one for section in things.values() for one in (section if isinstance(section, list) else [section])]
    for one in every:
        one["labels"] = {"team": f"of-{one['name']}"}  # type: ignore[index]
    config = MonitorFile.model_validate({"schema": "dbz.monitor/1", "alerts": [], **things})
    assert {thing.name: thing.labels["team"] for thing in config.watched} == {
        thing.name: f"of-{thing.name}" for thing in config.watched
    }
    assert len(config.watched) == 8 and len(config.labels["team"]) == 8


def test_what_follows_from_another_alert_of_the_same_target_is_not_told() -> None:
    inhibit = [{"source": {"type": ["FAILING"]}, "target": {"severity": ["warning"]}}]
    clock = Clock(monitor(inhibit=inhibit))
    both = reading(slow=True, failing=True)
    assert clock.round(api=both, chat=reading(slow=True)) == ["api FAILING firing", "chat SLOW firing"]
    assert clock.round(api=reading(slow=True), chat=reading(slow=True)) == ["api SLOW firing", "api FAILING resolved"]
    everything = [{"source": {}, "target": {}, "equal": []}]
    assert len(Clock(monitor(inhibit=everything)).round(api=both)) == 2, "nothing silences itself"


def test_alerts_of_a_group_are_told_together() -> None:
    routes = [{"to": ["hook"], "group_by": ["target"], "group_wait": "20s", "group_interval": "60s"}]
    clock = Clock(monitor(routes=routes))
    clock.round(api=reading(slow=True))
    clock.round(api=reading(slow=True, failing=True), chat=reading(failing=True))
    assert clock.log == ["api FAILING firing; ", "chat FAILING firing; "]
    clock.round(api=reading(slow=True, failing=True), chat=reading(failing=True))
    assert clock.log == ["api SLOW firing; told now", "api FAILING firing; told now"]
    for _ in range(3):
        clock.round(api=reading(slow=True, failing=True), chat=reading(failing=True))
    assert clock.told == [
        (20.0, "api SLOW firing", "hook"), (20.0, "api FAILING firing", "hook"), (30.0, "chat FAILING firing", "hook"),
    ]  # fmt: skip
    assert clock.groups[0] == clock.groups[1] != clock.groups[2]
    clock.restart()
    for _ in range(10):
        clock.round(api=reading(failing=True), chat=reading(failing=True))
    assert clock.told[3:] == [(80.0, "api SLOW resolved", "hook")], (
        "what is new waits for the interval, also over a restart"
    )
    clock = Clock(monitor(routes=routes))
    for number in range(10):
        clock.round(api=reading(slow=number < 1))
    assert clock.told == [], "over before its group was told"


def test_a_channel_that_left_the_file_keeps_nobody_waiting() -> None:
    clock = Clock(monitor(routes=[{"to": ["mail", "hook"]}]))
    clock.round(api=reading(slow=True))
    only = {"hook": {"webhook": "http://127.0.0.1:1/"}}
    clock.config = monitor(channels=only)
    clock.restart()
    clock.round()
    assert [(event, channel) for _, event, channel in clock.told][2:] == [("api SLOW resolved", "hook")]


def test_what_left_the_file_while_it_was_on_is_told_to_be_over() -> None:
    clock = Clock(monitor())
    clock.round(api=reading(slow=True, failing=True))
    clock.config = monitor(alerts=[{"type": "FAILING", "when": "error rate > 1%", "severity": "critical"}])
    clock.restart()
    assert clock.round(api=reading(failing=True)) == ["api SLOW resolved"]
    assert clock.round(api=reading(failing=True)) == []
    clock.restart()
    assert clock.round(api=reading(failing=True)) == []


Spans = Sequence[tuple[int, int]]
spans = st.lists(st.tuples(st.integers(0, 80), st.integers(1, 40)), max_size=4)


def covered(spans_: Spans, number: int) -> bool:
    return any(begin <= number < begin + length for begin, length in spans_)


@given(slow=spans, silent=spans, down=spans, restarts=st.sets(st.integers(0, 100), max_size=5), muted=st.booleans())
def test_each_alert_is_told_once_and_its_end_if_its_beginning_was(
    slow: Spans, silent: Spans, down: Spans, restarts: set[int], muted: bool
) -> None:
    """Against the plain reading of the rules: what people know is what is, whenever nothing keeps it from them."""
    repeat_s = 300.0
    inhibit = [{"source": {"type": ["TARGET_DOWN"]}, "target": {"type": ["SLOW"]}, "equal": []}]
    mute = [{"from": "12:05", "to": "12:09"}] if muted else []
    routes = [{"to": ["hook", "mail"], "repeat": "300s"}]
    silences = [silence(b * PERIOD_S, (b + n) * PERIOD_S, type=["SLOW"]) for b, n in silent]
    clock = Clock(monitor(inhibit=inhibit, mute=mute, routes=routes), silences)
    known: float | None = None
    last_s = 0.0
    expected: defaultdict[float, list[str]] = defaultdict(list)
    since: float | None = None
    for number in range(100):
        at_s, on = number * PERIOD_S, covered(slow, number)
        since = (at_s if since is None else since) if on else None
        quiet = covered(silent, number) or covered(down, number) or (muted and 300 <= at_s < 540)
        if not quiet:
            if known is not None and known != since:
                expected[at_s].append("resolved")
                known = None
            if since is not None and known is None:
                expected[at_s].append("firing")
                known, last_s = since, at_s
            elif known is not None and at_s - last_s >= repeat_s:
                expected[at_s].append("still firing")
                last_s = at_s
        if number in restarts:
            clock.restart()
        clock.round(api=reading(slow=on), chat=reading(up=not covered(down, number)))
    for channel in ("hook", "mail"):
        told: defaultdict[float, list[str]] = defaultdict(list)
        for at_s, event, to in clock.told:
            if to == channel and event.startswith("api SLOW "):
                told[at_s].append(event.removeprefix("api SLOW "))
        assert told == expected
    assert len(set(clock.keys)) == len(clock.keys)


@given(
    slow=spans, failing=spans, wait=st.sampled_from([0, 20, 50]), interval=st.sampled_from([0, 30, 90]),
    restarts=st.sets(st.integers(0, 100), max_size=5),
)  # fmt: skip
def test_groups_lose_nothing_and_keep_their_distance(
    slow: Spans, failing: Spans, wait: int, interval: int, restarts: set[int]
) -> None:
    group = {"group_by": [], "group_wait": f"{wait}s", "group_interval": f"{interval}s", "repeat": "10h"}
    clock = Clock(monitor(routes=[{"to": ["hook"], **group}]))
    for number in range(160):
        if number in restarts:
            clock.restart()
        on = number < 130
        clock.round(api=reading(slow=on and covered(slow, number), failing=on and covered(failing, number)))
    for type_ in ("SLOW", "FAILING"):
        events = [event.removeprefix(f"api {type_} ") for _, event, _ in clock.told if f" {type_} " in event]
        assert events == ["firing", "resolved"] * (len(events) // 2), "they take turns, and all is told at the end"
    open_, last_s = set[str](), None
    for at_s in sorted({at_s for at_s, _, _ in clock.told}):
        if open_:
            assert last_s is not None and at_s - last_s >= interval
        for _, event, _ in (one for one in clock.told if one[0] == at_s):
            (open_.discard if event.endswith("resolved") else open_.add)(event.rsplit(" ", 1)[0])
        last_s = at_s
