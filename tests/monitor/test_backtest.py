"""When rules would have fired in a recorded run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbz.config.monitor.alerts import AlertRule
from dbz.errors import ExitCode
from dbz.measure.latency.series import HTTP, Series
from dbz.monitor.rules.backtest import Firing, backtest, readings_of
from dbz.runs.folder import find_run
from dbz.runs.reading import read_record
from tests.cli.running import dbz
from tests.runs.builder import Scene, Traffic

RUN = "20261123T065450Z-mixed-0001"


def rule(when: str, **more: object) -> AlertRule:
    return AlertRule.model_validate({"type": "A", "when": when, "keep_firing_for": "0s", **more})


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A minute at 20 requests/s of some 40 ms, one in ten of which fails; CPU goes up to 45 %."""
    traffic = (Traffic(Series(HTTP, "GET /"), 20, 40, 0.01),)
    scene = Scene(seconds=60, warmup_s=30, workers=1, traffic=traffic, failing={"GET /": 0.1})
    scene.write(tmp_path / "reports", RUN)
    return tmp_path / "reports"


def test_readings_are_those_of_the_period(reports: Path) -> None:
    record = read_record(find_run(reports, "latest"))
    readings = list(readings_of(record, 10.0, 1e9))
    assert [end_s for end_s, _ in readings] == [10, 20, 30, 40, 50, 60]
    last = {str(watched): value for watched, value in readings[-1][1].items()}
    assert last["requests"] == pytest.approx(20) and last["error rate"] == pytest.approx(0.1, abs=0.06)
    assert last["response time"] == pytest.approx(40, rel=0.05) and 0.3 < last["CPU"] < 0.55
    assert last["memory"] == pytest.approx(0.333, abs=0.01)


def test_each_rule_fires_when_its_sentence_has_held(reports: Path) -> None:
    record = read_record(find_run(reports, "latest"))
    rules = [
        rule("error rate > 1% for 20 seconds"),
        rule("response time > 1s"),
        rule("CPU > 30% for 10 seconds"),
        rule("requests < 15/s", resolve="requests > 18/s"),
        rule("memory > 80%"),
    ]
    errors, slow, cpu, few, memory = backtest(record, rules, 10.0, None)
    assert errors.firings == [Firing(20.0, None)] and slow.firings == []
    assert slow.worst == pytest.approx(56, rel=0.2), "the first second is slower"
    assert len(cpu.firings) == 1 and cpu.firings[0].begin_s in (30.0, 40.0) and cpu.firings[0].end_s is None
    assert few.firings == [Firing(10.0, 40.0)] or few.firings == [Firing(10.0, 30.0)]
    assert memory.readings == 0 and memory.worst is None


def test_the_command_says_it_and_what_it_cannot_judge(reports: Path) -> None:
    done = dbz("monitor", "backtest", "--interval", "5s", cwd=reports.parent)
    assert done.returncode == ExitCode.OK, done.stderr
    assert "HIGH_ERROR_RATE (Error rate > 1% for 1 minute): FIRES after 1m until the end" in done.stdout
    assert (
        "SLOW_RESPONSE (Response time > 1000ms for 1 minute): would not have fired; its worst value is" in done.stdout
    )
    rows = json.loads(dbz("monitor", "backtest", RUN, "--json", cwd=reports.parent).stdout)
    assert {row["type"]: row["judged"] for row in rows}["HIGH_MEMORY_USAGE"] is True
    done = dbz("monitor", "backtest", "nothing", cwd=reports.parent)
    assert done.returncode == ExitCode.USAGE and "nothing" in done.stderr
