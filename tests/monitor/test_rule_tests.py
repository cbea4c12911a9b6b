"""Tests of rules and routes: what they are given, what they find, and that the bundled ones hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.bundled import bundled_folder
from dbz.config.grammar.samples import parse_samples
from dbz.config.grammar.watched import Watched
from dbz.config.monitor.testing import load_monitor_tests
from dbz.errors import ExitCode
from dbz.monitor.rules.testing import TestOutcome, run_tests
from tests.cli.running import dbz

MONITOR = """\
schema: dbz.monitor/1
targets:
  - {name: api, url: "http://api", labels: {team: web}}
  - {name: chat, url: "http://chat", labels: {team: chat}}
alerts:
  - {type: SLOW, when: response time > 1s for 1 minute}
  - {type: FAILING, when: error rate > 1%, severity: critical, keep_firing_for: 0s}
channels:
  slack: {slack: "${NOT_SET_IN_CI}"}
  mail: {mail: {host: mail, password: "${NOR_THIS_ONE}", from: a@b, to: [c@d]}}
routes:
  - {severity: [critical], to: [mail, slack], repeat: 2h}
  - {labels: {team: chat}, to: [slack], group_by: [team]}
  - {to: [slack]}
inhibit: [{source: {type: [FAILING]}, target: {type: [SLOW]}}]
mute: [{from: "22:00", to: "07:00"}]
"""
TESTS = """\
schema: dbz.monitor-test/1
monitor: monitor.yaml
start: "2026-10-24 20:00"
zone: Europe/Amsterdam
tests:
  - name: the night before clocks go back
    for: 12h
    series: [{target: api, metric: response time, values: 10x740 2000}]
    expect: [{at: "2026-10-25 07:00", type: SLOW, target: api, to: [slack]}]
  - name: a silence and what it hides
    series:
      - {target: api, metric: error rate, values: 0%x6 5%x60 0%x6}
      - {target: api, metric: response time, values: 10x6 3sx120}
      - {target: chat, metric: response time, values: 10x6 3sx30}
      - {target: chat, metric: requests, values: 20}
    silences: [{type: [FAILING], from: 0s, to: 5m, why: deploy}]
    expect:
      - {at: 2m30s, type: SLOW, target: chat, to: [slack]}
      - {at: 5m, type: FAILING, target: api, to: [slack, mail]}
      - {at: 11m10s, type: FAILING, target: api, event: resolved, to: [mail, slack]}
      - {at: 11m10s, type: SLOW, target: api, to: [slack]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "monitor.yaml").write_text(MONITOR)
    (tmp_path / "tests.yaml").write_text(TESTS)
    return tmp_path


def outcomes(path: Path) -> list[TestOutcome]:
    return list(run_tests(*load_monitor_tests(str(path))))


def test_the_bundled_tests_of_the_bundled_rules_hold() -> None:
    done = outcomes(bundled_folder("configs") / "monitor-test.yaml")
    assert len(done) == 6 and [one.differences for one in done] == [[]] * 6


def test_routes_mute_times_inhibitions_and_silences_are_tested_without_secrets(folder: Path) -> None:
    assert [one.differences for one in outcomes(folder / "tests.yaml")] == [[], []]


def test_what_is_otherwise_is_said_with_what_was_told(folder: Path) -> None:
    text = TESTS.replace("at: 5m, type", "at: 4m, type").replace("team: chat", "team: cat")
    text = text.replace(
        "{at: 2m30s, type: SLOW, target: chat, to: [slack]}", "{at: 2m, type: SLOW, target: api, to: [slack]}"
    )
    (folder / "tests.yaml").write_text(text)
    done = dbz("monitor", "test", "tests.yaml", "--junit", "out.xml", cwd=folder)
    assert done.returncode == ExitCode.BROKEN and "1 of 2 tests tell something else" in done.stderr
    for line in (
        "✓ the night before clocks go back",
        "✗ a silence and what it hides",
        "expected: FAILING of api firing at 4m (20:04:00) → mail, slack",
        "told: FAILING of api firing at 5m (20:05:00) → mail, slack",
        "expected: SLOW of api firing at 2m (20:02:00) → slack",
        "told: nothing of it, which was kept to the log: follows from FAILING of api",
        "not expected: SLOW of chat firing at 2m30s (20:02:30) → slack",
    ):
        assert line in done.stdout, done.stdout
    suite = ElementTree.parse(folder / "out.xml").getroot()  # our own
    assert suite.attrib["tests"] == "2" and suite.attrib["failures"] == "1"
    rows = json.loads(dbz("monitor", "test", "tests.yaml", "--json", cwd=folder).stdout)
    assert rows["passed"] is False and [test["passed"] for test in rows["tests"]] == [True, False]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("10x740", "10y740"), r"tests\.yaml:8: .*'10y740' is not a sample"),
        (("metric: error rate", "metric: error rat"), r"tests\.yaml:12: .*did you mean"),
        (("5%x60", "5x60"), r"tests\.yaml:12: .*has no unit; this metric is written with '%'"),
        (
            ("target: chat, metric", "target: cat, metric"),
            r"tests\.yaml:14: there is no target 'cat'; did you mean 'chat'",
        ),
        (("from: 0s, to: 5m", "from: 5m, to: 5m"), r"tests\.yaml:16: it ends \(5m\) before it begins"),
        (
            ("to: [mail, slack]", "to: [mail, slak]"),
            r"tests\.yaml:20: there is no channel 'slak'; did you mean 'slack'",
        ),
        (("{at: 5m", "{at: 5h"), r"tests\.yaml:19: 5h is not within the test, which lasts 21m"),
        (("{at: 5m, type: FAILING", "{at: 5m, type: SLOWW"), r"tests\.yaml:19: there is no alert 'SLOWW'"),
        (("zone: Europe/Amsterdam", "zone: Europe/Amstrdam"), r"tests\.yaml:4: .*is not a time zone"),
        (('start: "2026-10-24 20:00"', "start: yesterday"), r"tests\.yaml:3: .*is not a local time"),
        (("target: api, to: [slack]}", "to: [slack]}"), r"tests\.yaml:9: which target\? \(known: api, chat\)"),
        (("monitor: monitor.yaml", "monitor: gone.yaml"), "does not exist"),
    ],
)
def test_a_wrong_test_is_said_with_its_line(folder: Path, change: tuple[str, str], says: str) -> None:
    (folder / "tests.yaml").write_text(TESTS.replace(change[0], change[1], 1))
    with pytest.raises(Exception, match=says) as refused:
        load_monitor_tests(str(folder / "tests.yaml"))
    assert getattr(refused.value, "exit_code", None) == ExitCode.USAGE


@pytest.mark.parametrize(
    ("text", "metric", "values"),
    [
        ("1x2 _ 2s", Watched.RESPONSE_TIME, [1, 1, None, 2000]),
        ("10+5%x3 50-25%x3", Watched.CPU, [0.1, 0.15, 0.2, 0.5, 0.25, 0.0]),
        ("60/minx2 0", Watched.REQUESTS, [1, 1, 0]),
        ("1x2 0 _", None, [1, 1, 0, None]),
    ],
)
def test_samples_are_read(text: str, metric: Watched | None, values: list[Any]) -> None:
    assert parse_samples(text, metric) == pytest.approx(values)


@given(st.text(alphabet="0123456789x_%ms/+-. ", max_size=20), st.sampled_from([None, *Watched]))
def test_any_text_is_samples_or_says_why_not(text: str, metric: Watched | None) -> None:
    try:
        values = parse_samples(text, metric)
    except ValueError:
        return
    assert values and all(value is None or value >= 0 for value in values)
