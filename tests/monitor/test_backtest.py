"""When rules would have fired in recorded time, whether rightly, and which limits recorded time speaks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.alerts import AlertRule
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.incidents import Incident, load_incidents
from dbz.errors import ConfigError, ExitCode, UsageError
from dbz.measure.latency.series import HTTP, Series
from dbz.monitor.replay.files import of_file
from dbz.monitor.replay.follow import AlertOutcome, replay
from dbz.monitor.replay.incidents import judged
from dbz.monitor.replay.proposals import Proposal, proposals
from dbz.monitor.replay.recording import RecordedReadings, from_points
from dbz.monitor.replay.runs import figures_of, of_run
from dbz.monitor.replay.stored import of_store
from dbz.monitor.store.store import MonitorStore, Round
from dbz.report import open_run
from dbz.runs.storage.folder import find_run
from tests.cli.running import dbz
from tests.runs.builder import Scene, Traffic

RUN = "20261123T065450Z-mixed-0001"


def monitor(*when: str, **more: Any) -> MonitorFile:
    rules = [{"type": f"A{number}", "when": text, "keep_firing_for": "0s", **more} for number, text in enumerate(when)]
    targets = [{"name": "api", "url": "http://api"}]
    return MonitorFile.model_validate({"schema": "dbz.monitor/1", "targets": targets, "alerts": rules})


def recorded(values: Sequence[float | None], metric: Watched = Watched.RESPONSE_TIME) -> RecordedReadings:
    points = [("api", metric, number * 10.0 + 10, value) for number, value in enumerate(values) if value is not None]
    return from_points("values", points, 10.0)


def proposal(rule: AlertRule, recordings: Sequence[RecordedReadings], incidents: Sequence[Incident]) -> Proposal | None:
    return proposals([rule], recordings, incidents).get(rule.type)


def firings(outcome: AlertOutcome, start_s: float) -> list[tuple[float, float | None]]:
    return [(one.begin_s - start_s, None if one.end_s is None else one.end_s - start_s) for one in outcome.firings]


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A minute at 20 requests/s of some 40 ms, one in ten of which fails; CPU goes up to 45 %."""
    traffic = (Traffic(Series(HTTP, "GET /"), 20, 40, 0.01),)
    scene = Scene(seconds=60, warmup_s=30, workers=1, traffic=traffic, failing={"GET /": 0.1})
    scene.write(tmp_path / "reports", RUN)
    return tmp_path / "reports"


def test_readings_of_a_run_are_those_of_the_period(reports: Path) -> None:
    _, record = open_run(find_run(reports, "latest"))
    figures = figures_of(record, 10.0, 1e9)
    assert len(figures) == 6
    last = {str(watched): value for watched, value in figures[-1].items()}
    assert last["requests"] == pytest.approx(20) and last["error rate"] == pytest.approx(0.1, abs=0.06)
    assert last["response time"] == pytest.approx(40, rel=0.05) and 0.3 < last["CPU"] < 0.55
    assert last["memory"] == pytest.approx(0.333, abs=0.01)


def test_a_long_run_is_not_played_in_steps_that_it_does_not_keep(reports: Path) -> None:
    run, record = open_run(find_run(reports, "latest"))
    record.span_s = 240
    with pytest.raises(UsageError, match="keeps its older part in spans of 4m,") as refused:
        of_run(run, record, "api", 60.0, None)
    assert refused.value.hint == "--interval 4m" and refused.value.exit_code is ExitCode.USAGE
    assert of_run(run, record, "api", 240.0, None).rounds == {}


def test_each_rule_fires_when_its_sentence_has_held(reports: Path) -> None:
    run, record = open_run(find_run(reports, "latest"))
    recording = of_run(run, record, "api", 10.0, None)
    sentences = ["error rate > 1% for 20 seconds", "response time > 1s", "CPU > 30% for 10 seconds", "memory > 80%"]
    done = replay(monitor(*sentences), [recording])
    errors, slow, cpu, memory = (done.outcomes[f"A{number}"] for number in range(4))
    assert firings(errors, recording.start_s) == [(20.0, None)] and slow.firings == []
    assert slow.worst == pytest.approx(56, rel=0.2), "the first second is slower"
    assert firings(cpu, recording.start_s)[0][0] in (30.0, 40.0) and len(cpu.firings) == 1
    assert memory.readings == 0 and memory.worst is None


def test_the_command_says_it_and_what_it_cannot_judge(reports: Path) -> None:
    done = dbz("monitor", "backtest", "--interval", "5s", cwd=reports.parent)
    assert done.returncode == ExitCode.OK, done.stderr
    assert "HIGH_ERROR_RATE (Error rate > 1% for 1 minute): FIRES after 1m until the end" in done.stdout
    assert (
        "SLOW_RESPONSE (Response time > 1000ms for 1 minute): would not have fired; its worst value is" in done.stdout
    )
    (reports.parent / "i.yaml").write_text("schema: dbz.incidents/1\nincidents: [{from: 20s, to: 55s, what: bad}]\n")
    rows = json.loads(
        dbz("monitor", "backtest", "--from", "reports", "--incidents", "i.yaml", "--json", cwd=reports.parent).stdout
    )
    by_type = {row["type"]: row for row in rows}
    assert by_type["HIGH_MEMORY_USAGE"]["judged"] is True
    assert by_type["HIGH_ERROR_RATE"]["true"] == 1 and by_type["HIGH_ERROR_RATE"]["detected_after_s"] == [40.0]
    assert by_type["SLOW_RESPONSE"]["missed"][0]["what"] == "bad"
    done = dbz("monitor", "backtest", "nothing", cwd=reports.parent)
    assert done.returncode == ExitCode.USAGE and "nothing" in done.stderr


def test_series_of_other_tools_are_read(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text("time,response time [s],CPU [%]\n100,2,50\n110,,60\n1970-01-01T00:02:00,4,nan\n")
    wide = of_file(str(tmp_path / "wide.csv"), "api", None)
    assert wide.period_s == 10 and wide.start_s == 90 and sorted(wide.rounds) == [0, 1, 2]
    assert wide.rounds[0]["api"].figures == {Watched.RESPONSE_TIME: 2000, Watched.CPU: 0.5}
    assert wide.rounds[2]["api"].figures == {Watched.RESPONSE_TIME: 4000}
    (tmp_path / "long.csv").write_text("time,target,figure,mean\n0,a b,CPU,0.5\n60,a b,up,1\n60,a b,else,3\n")
    long = of_file(str(tmp_path / "long.csv"), "api", 60.0)
    assert list(long.targets) == ["a_b"] and long.rounds[1]["a_b"].up is True
    series = [{"metric": {"instance": "10.0.0.1:80"}, "values": [[0, "0.25"], [15, "NaN"], [30, "0.5"], [45, "1"]]}]
    (tmp_path / "p.json").write_text(json.dumps({"status": "success", "data": {"result": series}}))
    prometheus = of_file(f"response time [s]={tmp_path / 'p.json'}", "api", None)
    assert prometheus.period_s == 15 and list(prometheus.targets) == ["t10_0_0_1_80"]
    assert [prometheus.rounds[at]["t10_0_0_1_80"].figures for at in (0, 2)] == [
        {Watched.RESPONSE_TIME: 250}, {Watched.RESPONSE_TIME: 500},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "t,CPU\n1,2\n", r"a\.csv:1: there is no column 'time'"),
        ("a.csv", "time,CPUU\n1,2\n", r"a\.csv:1: .*did you mean 'CPU'"),
        ("a.csv", "time,CPU [ms]\n1,2\n", r"a\.csv:1: CPU is in %, not in ms"),
        ("a.csv", "time,CPU\n1,2\nyesterday,3\n", r"a\.csv:3: 'yesterday' is not a time"),
        ("a.csv", "time,CPU\n1,two\n", r"a\.csv:2: 'two' is not a number"),
        ("a.csv", "time,CPU\n", r"a\.csv has no values"),
        ("a.csv", "time,CPU\n0,1\n1,1\n9e12,1\n", "periods of"),
        ("CPU=a.json", '{"data": 1}', "is not an answer of Prometheus"),
        ("a.json", "{}", "what do the values of .* mean"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name.rpartition("=")[2]).write_text(text)
    with pytest.raises(UsageError, match=says):
        of_file(name, "api", None)


def test_what_the_monitor_kept_can_be_replayed(tmp_path: Path) -> None:
    config = monitor("response time > 1s for 30 seconds", "memory > 50%")
    with MonitorStore(tmp_path / "m.db") as store:
        for number in range(60):
            row = {"up": True, "response time": 2000.0 if 20 <= number < 30 else 50.0}
            store.keep(Round(1_000_000.0 + number * 10, {"api": row}, period_s=10.0))
        recording = of_store(store, config, 1_000_000.0, 1_000_600.0, 10.0)
    done = replay(config, [recording])
    assert firings(done.outcomes["A0"], recording.start_s) == [(230.0, 310.0)]
    assert done.outcomes["A1"].readings == 0


QUIET, BAD = st.floats(1, 500), st.floats(600, 3000)


@given(
    quiet=st.lists(QUIET, min_size=40, max_size=120), bad=st.lists(BAD, min_size=8, max_size=20),
    at=st.integers(12, 30),
    sentence=st.sampled_from(["> 9s", ">= 9s for 30 seconds", "> 9s for 40 of 60 seconds"]),
)  # fmt: skip
def test_a_proposed_limit_tells_of_each_incident_and_of_nothing_else(
    quiet: list[float], bad: list[float], at: int, sentence: str
) -> None:
    recording = recorded([*quiet[:at], *bad, *quiet[at:]])
    incident = Incident(at * 10.0 + 10, (at + len(bad)) * 10.0)
    config = monitor(f"response time {sentence}")
    found = proposal(config.alerts[0], [recording], [incident])
    assert found is not None and found.when is not None, found
    better = config.model_copy(update={"alerts": [config.alerts[0].model_copy(update={"when": found.when})]})
    judgement = judged(replay(better, [recording]).outcomes["A0"], [incident])
    assert (len(judgement.true), judgement.false, judgement.missed) == (1, [], [])


def test_proposals_say_their_evidence() -> None:
    rule = monitor("response time > 9s for 20 seconds").alerts[0]
    values = [100.0] * 50 + [812.0] * 3 + [100.0] * 50 + [1500.0] * 10 + [100.0] * 20
    recording, outage = recorded(values), Incident(1040.0, 1130.0)
    found = proposal(rule, [recording], [outage])
    assert found is not None and str(found.when) == "Response time > 812ms for 20 seconds"
    assert found.evidence == (
        "detects 1 of 1 incidents without a false page: what held for long enough in quiet time reached 812 ms, "
        "the mildest incident reaches 1,500 ms"
    )
    blind = proposal(rule, [recording], [outage, Incident(100.0, 150.0)])
    assert blind is not None and blind.when is None and "1 of 2 incidents come no further" in blind.evidence
    unmarked = proposal(rule, [recording], [])
    assert unmarked is not None and str(unmarked.when) == "Response time > 1500ms for 20 seconds"
    assert "no incidents are marked: in 132 periods it would never have fired" in unmarked.evidence
    low = proposal(monitor("requests < 5/s").alerts[0], [recorded([50.0, 40.0, 60.0, 2.0], Watched.REQUESTS)], [
        Incident(35.0, 45.0)])  # fmt: skip
    assert low is not None and str(low.when) == "Requests < 40/s"
    assert proposal(rule, [recorded([0.5] * 9, Watched.CPU)], []) is None


def test_false_alerts_missed_incidents_and_the_time_to_tell() -> None:
    config = monitor("response time > 1s for 20 seconds")
    values = [100.0] * 10 + [2000.0] * 5 + [100.0] * 20 + [3000.0] * 6 + [100.0] * 60
    done = replay(config, [recorded(values)])
    judgement = judged(done.outcomes["A0"], [Incident(350.0, 420.0), Incident(600.0, 700.0, (), "other")])
    assert len(judgement.false) == 1 and [one.what for one in judgement.missed] == ["other"]
    assert list(judgement.detected_after_s.values()) == [20.0]
    always = replay(monitor("response time > 50ms"), [recorded(values)]).outcomes["A0"]
    judgement = judged(always, [Incident(350.0, 420.0)])
    assert (judgement.true, len(judgement.false), len(judgement.missed)) == ([], 1, 1), "it is on anyway"


def test_incidents_are_marked_by_a_clock_or_since_the_start(tmp_path: Path) -> None:
    path = tmp_path / "i.yaml"
    text = "schema: dbz.incidents/1\nzone: Europe/Amsterdam\nincidents:\n  - {from: '2026-11-29 13:00', to: %s}\n"
    path.write_text(text % "2h")
    start_s = datetime(2026, 11, 29, tzinfo=UTC).timestamp()
    with pytest.raises(ConfigError, match=r"i\.yaml:4: it ends \(2h\) before it begins"):
        load_incidents(str(path), start_s)
    path.write_text(text % "'2026-11-29 14:30'")
    (incident,) = load_incidents(str(path), start_s)
    assert incident.end_s - incident.begin_s == 5400 and incident.begin_s % 86_400 == 12 * 3600
