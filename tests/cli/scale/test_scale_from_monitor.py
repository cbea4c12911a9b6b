"""`dbz scale auto --from monitor`: one watcher, one engine, and the triggers that dbz ships."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.cli.scale.readings import MonitorSource, means_of
from dbz.config.grammar.watched import SCALABLE, Watched
from dbz.config.phases.file import load_phases
from dbz.config.phases.plan import ApiServers
from dbz.errors import DependencyError, ExitCode, UsageError
from dbz.monitor.store.store import MonitorStore, Round
from dbz.scaling.aws import Aws
from dbz.scaling.decide.daemon import Autoscaler, NoDataError
from dbz.scaling.decide.rules import Action
from dbz.scaling.handle import ServiceHandle
from tests.cli.scale.test_scale import Shell
from tests.cloud.clouds import KEYS, REGION, RunningCloud
from tests.scaling.test_daemon import Past

BUSY = {Watched.RESPONSE_TIME: 2500.0, Watched.MEMORY: 0.5, Watched.CONNECTIONS: 10.0, Watched.REQUESTS: 5.0}
QUIET = {Watched.RESPONSE_TIME: 50.0, Watched.MEMORY: 0.1, Watched.CONNECTIONS: 10.0, Watched.REQUESTS: 5.0}


def read(file: Path, at_s: float, figures: Mapping[Watched, float], target: str = "api") -> None:
    """What a round of the monitor leaves."""
    with MonitorStore(file) as store:
        store.keep(Round(at_s, {target: {metric.value: value for metric, value in figures.items()}}))


def test_a_sample_is_the_mean_of_the_readings_of_its_period(tmp_path: Path) -> None:
    """A reading is about the time before it, so that at the end of a period belongs to that period."""
    file = tmp_path / "m.db"
    for at_s, requests, answer_ms in ((600.0, 9.0, 9.0), (601.0, 1.0, 100.0), (660.0, 3.0, 500.0), (661.0, 9.0, 9.0)):
        read(file, at_s, {Watched.REQUESTS: requests, Watched.RESPONSE_TIME: answer_ms, Watched.HIT_RATIO: 0.5})
    before, mine = MonitorSource(file, "", 60.0).since(540.0, 719.0, lambda _: 2)
    assert (before.at_s, mine.at_s, mine.tasks) == (600.0, 660.0, 2)
    assert mine.values[Watched.REQUESTS] == 2.0 and mine.values[Watched.RESPONSE_TIME] == 400.0
    assert mine.values[Watched.CPU] is None
    (silent,) = MonitorSource(file, "api", 60.0).since(720.0, 780.0, lambda _: 2)
    assert set(silent.values.values()) == {None}


FIGURES = st.floats(0, 1e6).map(lambda value: round(value, 6))
"""As a monitor keeps them."""


@given(st.lists(st.dictionaries(st.sampled_from(SCALABLE), FIGURES), max_size=5))
def test_a_mean_lies_between_the_readings(readings: list[dict[Watched, float]]) -> None:
    for metric, mean in means_of(readings).items():
        having = [one[metric] for one in readings if metric in one]
        weighed = [one for one in readings if metric in one and one.get(Watched.REQUESTS, 1.0)]
        if mean is None:
            assert not having or not weighed
        else:
            assert min(having) * (1 - 1e-9) <= mean <= max(having) * (1 + 1e-9)


def test_what_it_cannot_read_is_said(tmp_path: Path) -> None:
    file = tmp_path / "m.db"
    with pytest.raises(UsageError, match="no monitor has written"):
        MonitorSource(file, "", 60.0)
    MonitorStore(file).__exit__()
    with pytest.raises(DependencyError, match="no reading of any target"):
        MonitorSource(file, "", 60.0)
    read(file, 1.0, QUIET)
    read(file, 2.0, QUIET, "chat")
    with pytest.raises(UsageError, match=r"watches several targets \(known: api, chat\)"):
        MonitorSource(file, "", 60.0)
    with pytest.raises(UsageError, match="no target 'cha'"):
        MonitorSource(file, "cha", 60.0)
    file.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(DependencyError, match="cannot be used"):
        MonitorSource(file, "api", 60.0)


def test_the_triggers_scale_out_and_in_by_what_the_monitor_read_and_end_when_it_is_silent(
    cloud: RunningCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path))
    clock, file, service = Past(), tmp_path / "m.db", cloud.new_service(1)
    handle = ServiceHandle(Aws(region=REGION, endpoint=cloud.url, credentials=KEYS), "dbz", service)

    def minute(figures: Mapping[Watched, float]) -> None:
        for second in range(10, 61, 10):
            read(file, clock.at_s + second, figures)
        clock.at_s += 60

    minute(QUIET)
    source = MonitorSource(file, "", 60.0)
    auto = Autoscaler(handle, load_phases("triggers"), ApiServers(min=1, max=3), source, clock=clock)
    assert auto.evaluate().decision.action is Action.HOLD, "one task is the minimum"
    minute(BUSY)
    outcome = auto.evaluate()
    assert outcome.done and outcome.decision.reason == "Response time > 2000ms"
    cloud.until(service, lambda one: one["runningCount"] == 2)
    clock.at_s += 1000  # the cooldown
    minute(QUIET)
    inwards = auto.evaluate()
    assert inwards.done and inwards.decision.desired == 1, inwards.decision.reason
    clock.at_s += 400  # nobody watches any more
    assert Watched.MEMORY in auto.evaluate().decision.no_data
    clock.at_s += 900
    with pytest.raises(NoDataError, match="no data about memory, active connections"):
        auto.evaluate()


def test_the_command_says_whence_and_what_is_wrong(cloud: RunningCloud, tmp_path: Path) -> None:
    shell = Shell(cloud, tmp_path)
    common = ("auto", "--phases", "triggers", "--once", "--dry-run")
    missing = shell.scale(*common, "--from", "monitor")
    assert missing.returncode == ExitCode.USAGE and "no monitor has written" in missing.stderr
    odd = shell.scale(*common, "--from", "prometheus")
    assert odd.returncode == ExitCode.USAGE and "write monitor, or monitor=FILE" in odd.stderr
    both = shell.scale(*common, "--from", "monitor", "--metrics", "http://127.0.0.1:9")
    assert both.returncode == ExitCode.USAGE and "are two sources" in both.stderr
    read(tmp_path / "m.db", time.time() // 60 * 60 - 1, BUSY)
    told = shell.scale(*common, "--from", "monitor=m.db")
    assert told.returncode == ExitCode.OK, told.stderr
    assert "by monitor=m.db" in told.stderr and "Response time > 2000ms (not done: dry run)" in told.stdout
