"""Budgets as objectives: which can be one, when their alerts begin and end, and what a restart remembers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.file import MonitorFile, load_monitor
from dbz.errors import ConfigError
from dbz.measure.latency.buckets import Buckets
from dbz.monitor.rules.alerts import AlertStanding
from dbz.monitor.rules.burn import MinuteCounts
from dbz.monitor.rules.engine import AlertEngine
from dbz.monitor.rules.objectives import ObjectiveMinute
from dbz.monitor.sources.reading import SourceReading
from dbz.monitor.store.objectives import ObjectiveBook
from dbz.monitor.store.store import MonitorStore
from dbz.report.terminal.alerts.rules import rules_text

FILE = """\
schema: dbz.monitor/1
interval: 60s
targets: [{name: api, url: "http://api"}]
alerts: []
objectives:
  - {budget: budgets.yaml#%s, period: %s}
"""
BUDGETS = """\
schema: dbz.budgets/1
budgets:
  - {name: error_rate, of: errors, stat: error_rate, limit: "< 0.1%"}
  - {name: uptime, of: uptime, stat: rate, limit: ">= 99.9%"}
  - {name: quick, of: http, stat: p99, limit: "< 500ms"}
  - {name: quick posts, of: "http{op=POST *}", stat: p99, limit: "< 500ms"}
  - {name: mean, of: http, stat: mean, limit: "< 200ms"}
  - {name: loose, of: http, stat: p10, limit: "< 1s"}
  - {name: windowed, of: http, stat: p99, limit: "< 1s", window: 10s}
  - {name: none, of: errors, stat: error_rate, limit: "< 0%"}
"""
START_S = datetime(2026, 11, 29, tzinfo=UTC).timestamp()


def monitor(folder: Path, name: str, period: str = "30d") -> MonitorFile:
    (folder / "budgets.yaml").write_text(BUDGETS)
    (folder / "monitor.yaml").write_text(FILE % (name, period))
    return load_monitor(str(folder / "monitor.yaml"))


def requests(failing: float, per_s: float = 10.0) -> SourceReading:
    return SourceReading(True, "HTTP 200", {Watched.REQUESTS: per_s, Watched.ERROR_RATE: failing})


class Clock:
    """Runs an engine minute by minute, and keeps what becomes of burn alerts with the minute of it."""

    def __init__(self, config: MonitorFile) -> None:
        self.config, self.minute = config, 0
        self.engine, self.kept = AlertEngine(config, {}), dict[int, ObjectiveMinute]()
        self.events: list[tuple[int, str]] = []

    def run(self, reading: SourceReading, minutes: int) -> None:
        for _ in range(minutes):
            now_s = START_S + self.minute * 60
            outcome = self.engine.step(now_s, datetime.fromtimestamp(now_s, UTC), {"api": reading})
            self.kept |= {one.minute: one for one in outcome.minutes}
            self.events += [
                (self.minute, f"{alert.type} {alert.event}")
                for alert in outcome.alerts
                if alert.event and "_BURN_" in alert.type
            ]
            self.minute += 1

    def restart(self) -> None:
        standings = {
            (one.target, one.type): AlertStanding.from_row(one.standing.to_row()) for one in self.engine.alerts
        }
        self.engine = AlertEngine(self.config, standings, list(self.kept.values()))

    def text(self, type_: str, event: str = "firing") -> str:
        alert = next(one for one in self.engine.alerts if one.type == type_)
        return alert.notice(event, START_S + self.minute * 60).text


def test_an_outage_is_told_at_the_burn_rates_of_the_workbook(tmp_path: Path) -> None:
    """All requests fail: 14.4 times 0.1 % of an hour is failed within 52 s, 6 times within 2 m 10 s of six hours."""
    clock = Clock(monitor(tmp_path, "error_rate"))
    clock.run(requests(0.0), 3 * 1440)
    assert clock.events == []
    clock.run(requests(1.0), 3)
    down = 3 * 1440
    assert clock.events[:2] == [
        (down, "ERROR_RATE_BURN_1H firing"), (down + 2, "ERROR_RATE_BURN_6H firing"),
    ]  # fmt: skip
    assert "is used up 50 times as fast as it lasts (alert beyond 14.4 times in 1h00m and 5m)" in clock.text(
        "ERROR_RATE_BURN_1H"
    )
    clock.run(requests(0.0), 12)
    assert (down + 12, "ERROR_RATE_BURN_1H resolved") in clock.events, "five minutes, and five in which it stays over"
    assert "error_rate, at most 0.1 % failed requests in 30 days of api lasts again" in clock.text(
        "ERROR_RATE_BURN_1H", "resolved"
    )


def test_a_slow_leak_is_told_as_a_ticket_only(tmp_path: Path) -> None:
    clock = Clock(monitor(tmp_path, "error_rate"))
    clock.run(requests(0.0), 3 * 1440)
    clock.run(requests(0.0015), 3 * 1440)
    assert [event for _, event in clock.events] == ["ERROR_RATE_BURN_3D firing"]
    assert 7195 < clock.events[0][0] < 7205, "when two of three days had 1.5 times as much"
    alert = next(one for one in clock.engine.alerts if one.type == "ERROR_RATE_BURN_3D")
    assert alert.severity == "warning"


def test_few_requests_are_no_outage_and_silence_is_for_nothing(tmp_path: Path) -> None:
    clock = Clock(monitor(tmp_path, "error_rate"))
    clock.run(requests(0.5, 1 / 60), 60)
    assert clock.events == [], "60 requests in an hour"
    clock.run(requests(0.5), 20)
    before = len(clock.events)
    clock.run(SourceReading(True, "HTTP 200"), 60)
    assert before >= 2 and len(clock.events) == before, "what is not told ends nothing"
    clock.run(SourceReading(True, "HTTP 200", {Watched.REQUESTS: 0.0}), 20)
    assert clock.events[-1][1].endswith("resolved"), "without requests nothing is used up"


def test_windows_outlive_a_restart(tmp_path: Path) -> None:
    straight, cut = Clock(monitor(tmp_path, "error_rate")), Clock(monitor(tmp_path, "error_rate"))
    for share, minutes in ((0.0, 200), (0.011, 90), (0.0, 30), (0.3, 4), (0.0, 30)):
        straight.run(requests(share), minutes)
        cut.run(requests(share), minutes // 2)
        cut.restart()
        cut.run(requests(share), minutes - minutes // 2)
    assert straight.events == cut.events and len(straight.events) >= 3


def test_what_objectives_counted_is_kept_in_the_file_of_the_monitor(tmp_path: Path) -> None:
    with MonitorStore(tmp_path / "m.db") as store:
        book = ObjectiveBook(store)
        book.keep([ObjectiveMinute("b#e", "api", minute, 1.0, 60.0) for minute in range(5)])
        book.keep([ObjectiveMinute("b#e", "api", 4, 2.0, 90.0)])
        assert [(one.minute, one.bad) for one in book.load()] == [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2)]
        book.forget(3 * 86_400 + 180.0)
        assert [one.minute for one in book.load()] == [3, 4]


def test_uptime_and_slow_requests_can_be_objectives_too(tmp_path: Path) -> None:
    clock = Clock(monitor(tmp_path, "uptime"))
    clock.run(SourceReading(True), 300)
    clock.run(SourceReading(False), 1)
    assert [event for _, event in clock.events] == ["UPTIME_BURN_1H firing"]
    clock = Clock(monitor(tmp_path, "quick"))
    fast, slow = ({0.1: 600.0, 0.5: 10.0, 1.0: 0.0}, {0.1: 300.0, 0.5: 10.0, 1.0: 300.0})
    clock.run(SourceReading(True, durations=Buckets(dict(fast))), 100)
    clock.run(SourceReading(True, durations=Buckets(dict(slow))), 30)
    assert clock.events[0][1] == "QUICK_BURN_1H firing"


@pytest.mark.parametrize(
    ("name", "period", "says"),
    [
        ("eror_rate", "30d", r"monitor\.yaml:6: .*it is not there; did you mean 'error_rate'"),
        ("mean", "30d", r"the mean of http < 200 is no share of good requests; what can be: error_rate"),
        ("quick posts", "30d", "about some operations"),
        ("loose", "7d", "so much that no failure uses it up too fast"),
        ("windowed", "30d", "its 'window' asks it of stretches"),
        ("none", "30d", "it allows nothing"),
        ("error_rate", "1d", r"monitor\.yaml:6: "),
    ],
)
def test_a_budget_that_cannot_be_an_objective_is_refused_with_the_reason(
    tmp_path: Path, name: str, period: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        monitor(tmp_path, name, period)


def test_check_says_what_objectives_mean(tmp_path: Path) -> None:
    text = rules_text(monitor(tmp_path, "error_rate"))
    assert (
        "api  ERROR_RATE_BURN_6H [critical]  error_rate, at most 0.1 % failed requests in 30 days, used up 6 times"
        in text
    )


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5), st.integers(0, 9)), max_size=60), st.integers(-5, 80))
def test_sums_of_minutes_are_what_was_added(added: list[tuple[int, int, int]], minute: int) -> None:
    counts = MinuteCounts(3600.0)
    for number, bad, total in sorted(added):
        counts.add(number, bad, total)
    after = [(bad, total) for number, bad, total in added if number > minute]
    assert counts.after(minute) == (sum(bad for bad, _ in after), sum(total for _, total in after))


def test_old_minutes_are_forgotten_and_sums_stay_right() -> None:
    counts = MinuteCounts(3600.0)
    for minute in range(10_000):
        counts.add(minute, 1.0, 2.0)
        assert counts.after(minute - 60) == (min(60, minute + 1), 2 * min(60, minute + 1))
