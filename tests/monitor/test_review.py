"""The report of a range: what was put into the store is what it says, with what to do next."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import psutil
import pytest
from typer.testing import CliRunner

from dbz.cli.monitor.group import app
from dbz.config.monitor.file import load_monitor
from dbz.monitor.review.document import Review
from dbz.monitor.review.review import review
from dbz.monitor.rules.alerts import AlertStanding, AlertState
from dbz.monitor.store.reading import Series
from dbz.monitor.store.store import MonitorStore, Round
from dbz.report.html.monitor_page import render_review
from dbz.report.words.monitor import range_text

_SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "monitor-report.schema.json"
HOUR_S, STEP_S = 3600, 60
CONFIG = """\
schema: dbz.monitor/1
targets: [{name: shop, url: "http://10.0.0.5:8000"}, {name: fine, url: "http://127.0.0.1:1"}]
alerts:
  - {type: SLOW, when: response time > 900ms for 5 minutes, severity: critical}
  - {type: FULL, when: memory > 80%}
"""


@dataclass
class Watched:
    """A day that was watched."""

    path: Path
    config: Path
    review: Review
    series: dict[str, Series]
    begin_s: int


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """`shop` leaks, was down for an hour, and is slow since hour 16; of two hours nothing is known."""
    folder = tmp_path_factory.mktemp("review")
    (folder / "m.yaml").write_text(CONFIG)
    config = load_monitor(str(folder / "m.yaml"))
    end = int(time.time()) // STEP_S * STEP_S
    begin, chance = end - 24 * HOUR_S, random.Random(4)
    with MonitorStore(folder / "m.db") as store:
        for t in range(begin, end, STEP_S):
            hour = (t - begin) / HOUR_S
            if 6 <= hour < 8:
                continue
            slow = hour >= 16
            used = 1.2e9 + 2e7 * hour + chance.gauss(0, 2e6)
            shop = {"up": not 10 <= hour < 11, "memory_bytes": used, "memory": used / 2e9, "requests": 50.0,
                    "response time": chance.gauss(1000 if slow else 300, 20), "error rate": 0.0}  # fmt: skip
            fine = {
                "up": True,
                "trouble": "HTTP 404",
                "response time": chance.gauss(90, 5),
                "error rate": 0.0,
                "memory_bytes": 2e8,
            }
            state = AlertState.FIRING if slow else AlertState.OK
            standings = {("shop", "SLOW"): AlertStanding(state, begin + 16 * HOUR_S if slow else begin, 1000.0, t)}
            store.keep(Round(float(t), {"shop": shop, "fine": fine}, standings, period_s=STEP_S))
            store.tidy(float(t))
        found, series = review(store, config, begin, end)
        yield Watched(folder / "m.db", folder / "m.yaml", found, series, begin)


def test_figures_uptime_and_what_is_not_known(watched: Watched) -> None:
    shop, fine = sorted(watched.review.targets, key=lambda one: one.name, reverse=True)
    assert (shop.name, fine.name) == ("shop", "fine")
    assert shop.uptime == pytest.approx(21 / 22) and fine.uptime == 1
    assert shop.without_data_s == pytest.approx(2 * HOUR_S, abs=2 * STEP_S)
    times = shop.figure("response time")
    assert times is not None and times.mean == pytest.approx((14 * 300 + 8 * 1000) / 22, rel=0.02)
    assert 1000 < times.peak < 1100 and times.readings == 22 * 60


def test_trends_tell_the_days_to_the_limit_of_the_rule(watched: Watched) -> None:
    shop = next(one for one in watched.review.targets if one.name == "shop")
    memory = next(one for one in shop.trends if one.key == "memory_bytes")
    assert memory.is_clear and memory.per_hour == pytest.approx(2e7, rel=0.05)
    assert memory.limit == pytest.approx(1.6e9, rel=0.01) and memory.rule == "FULL"
    assert memory.days_to_limit == 0, "it is beyond it"
    fine = next(one for one in watched.review.targets if one.name == "fine")
    assert not any(one.is_clear for one in fine.trends) and not fine.changes


def test_changes_and_alerts_have_their_time(watched: Watched) -> None:
    shop = next(one for one in watched.review.targets if one.name == "shop")
    assert [(one.key, round(one.before, -2), round(one.after, -2)) for one in shop.changes] == [
        ("response time", 300, 1000)
    ]
    assert shop.changes[0].at_s == pytest.approx(watched.begin_s + 16 * HOUR_S, abs=HOUR_S / 2)
    (alert,) = watched.review.alerts
    assert (alert.type, alert.severity, alert.end_s) == ("SLOW", "critical", None)
    assert alert.begin_s == watched.begin_s + 16 * HOUR_S and alert.when.startswith("Response time > 900ms")


def test_every_advice_has_its_evidence_and_a_command(watched: Watched) -> None:
    advice = {one.text: one for one in watched.review.advice}
    assert all(one.evidence and one.command.startswith("dbz ") for one in advice.values())
    silent = advice.pop("Keep the monitor running.")
    assert (silent.target, silent.evidence) == ("fine, shop", "nothing is known of 2h00m")
    assert {one.target for one in advice.values()} == {"shop"}
    queries = advice["Look at the slowest queries."]
    assert queries.priority == "high" and "over 500 ms" in queries.evidence
    assert queries.command == "dbz load http://10.0.0.5:8000 --allow-target 10.0.0.5"
    leak = advice["Look for a memory leak."]
    assert (
        leak.priority == "medium" and "rising by" in leak.evidence and leak.command == "dbz monitor report --range 7d"
    )
    assert "under 99.9 %" in advice["See when it was down."].evidence
    assert "Look at what was changed when the response time rose." in advice
    assert [one.priority for one in watched.review.advice] == sorted(
        (one.priority for one in watched.review.advice), key=["high", "medium", "low"].index
    )


def test_the_page_has_charts_limits_and_nothing_that_runs(watched: Watched) -> None:
    watched.review.targets[0].name, kept = "<script>x</script>", watched.review.targets[0].name
    page = render_review(watched.review, watched.series, load_monitor(str(watched.config)))
    watched.review.targets[0].name = kept
    assert "<script>x" not in page and "&lt;script&gt;x" in page
    data = json.loads(page.split('id="chart-data">')[1].split("</script>")[0])
    charts = {one["id"]: one for one in data["charts"]}
    assert charts["shop-response time"]["marks"][0]["value"] == 900
    values = charts["shop-memory"]["lines"][0]["values"]
    assert len(values) == len(data["seconds"]) and None in values[1:-1], "the hours that are not known are a gap"
    assert {one["of"] for one in data["markers"]} == {"shop-", "shop-response time"}


def test_the_command_prints_and_writes(watched: Watched, tmp_path: Path) -> None:
    options = ["report", "--state", str(watched.path), "--config", str(watched.config)]
    shown = CliRunner().invoke(app, [*options, "--html", str(tmp_path / "r.html")])
    assert shown.exit_code == 0, shown.output
    for text in (
        "2 targets, 1 alert, 1 still on",
        "→ dbz monitor report --range 7d",
        "Trends of shop",
        "no data",
        "now: HTTP 404",
    ):
        assert text in shown.output
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    document = json.loads(CliRunner().invoke(app, [*options, "--json"]).output)
    jsonschema.validate(document, json.loads(_SCHEMA.read_text()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "schema": "dbz.run/1"}, json.loads(_SCHEMA.read_text()))
    assert document["schema"] == "dbz.monitor-report/1" and document["targets"][1]["trends"]


@pytest.mark.parametrize("command", ["report", "export"])
def test_a_store_that_is_refused_because_it_has_no_series_is_closed(command: str, tmp_path: Path) -> None:
    """The error holds on to all that was at hand where it was raised, the connection with it."""
    state = tmp_path / "none.db"
    refused = CliRunner().invoke(app, [command, "--state", str(state)])
    assert "has no series yet" in str(refused.exception)
    assert str(state) not in {file.path for file in psutil.Process().open_files()}


def test_an_alert_is_on_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    with MonitorStore(tmp_path / "m.db") as store:
        for t, state, since in (
            (10, "ok", 10),
            (20, "firing", 20),
            (30, "firing", 20),
            (40, "ok", 40),
            (50, "firing", 50),
        ):
            store.keep(Round(float(t), standings={("a", "X"): AlertStanding(AlertState(state), since, float(t))}))
        found = [(one.begin_s, one.end_s, one.value) for one in store.firings(0, 100)]
        assert found == [(20, 40, 20), (50, None, 50)]
        assert [one.begin_s for one in store.firings(45, 100)] == [50]


def test_the_chart_of_peaks_has_the_highest_of_each_step(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(CONFIG)
    end = int(time.time()) // STEP_S * STEP_S
    config = load_monitor(str(tmp_path / "m.yaml"))
    with MonitorStore(tmp_path / "m.db") as store:
        for t in range(end - HOUR_S, end, 2):  # steps of the chart are longer
            peak = 630.0 if t == end - 600 else 80.0
            store.keep(Round(float(t), readings={"shop": {"up": True, "peak response time": peak}}))
        document, series = review(store, config, float(end - HOUR_S), float(end))
    data = json.loads(render_review(document, series, config).split('id="chart-data">')[1].split("</script>")[0])
    (line,) = next(chart for chart in data["charts"] if chart["id"] == "shop-response time")["lines"]
    assert max(value for value in line["values"] if value is not None) == 630


def test_charts_show_the_time_that_there_are_data_of(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(CONFIG)
    end = 1_800_000_000
    with MonitorStore(tmp_path / "m.db") as store:
        for t in range(end - 600, end, 10):
            store.keep(Round(float(t), {"shop": {"up": True, "response time": 90.0}}, period_s=10.0))
        config = load_monitor(str(tmp_path / "m.yaml"))
        found, series = review(store, config, end - 24 * HOUR_S, end)
        nothing, _ = review(store, config, end - 48 * HOUR_S, end - 24 * HOUR_S)
    assert found.step_s == 10 and len(series["shop"]["response time"]) == 60
    assert (found.data_begin_s, found.data_end_s) == (end - 600, end - 10) and nothing.data_begin_s is None
    assert "; there are data of 10m, " in range_text(found) and "data" not in range_text(nothing)
    page = render_review(found, series, config)
    data = json.loads(page.split('id="chart-data">')[1].split("</script>")[0])
    assert data["seconds"][-1] == 590 and "there are data of 10m" in page
