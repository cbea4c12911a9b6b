"""What is exported is read by those whom it is for, with the values and times that were kept."""

from __future__ import annotations

import csv
import io
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus
from typer.testing import CliRunner

from dbz.cli.monitor.group import app
from dbz.errors import UsageError
from dbz.monitor.export.formats import exported
from dbz.monitor.export.names import metric_name
from dbz.monitor.store.store import MonitorStore, Round

START_S = 1_790_000_000 // 3600 * 3600


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitorStore]:
    with MonitorStore(tmp_path_factory.mktemp("export") / "m.db") as made:
        for t in range(START_S, START_S + 3700, 10):
            row = {"up": True, "health": "HTTP 200", "response time": 250.0 + t % 60, "CPU": 0.25, "memory_bytes": 1e9}
            made.keep(Round(float(t), {"api": row, 'odd "one"\\': {"up": t % 20 == 0}}))
        made.tidy(START_S + 3700)
        yield made


def test_names_have_the_base_unit() -> None:
    names = {
        "response time": ("dbz_monitor_response_time_seconds", "seconds", 1e-3),
        "CPU": ("dbz_monitor_cpu_ratio", "ratio", 1.0),
        "hit ratio": ("dbz_monitor_hit_ratio", "ratio", 1.0),
        "requests": ("dbz_monitor_requests_per_second", "per_second", 1.0),
        "active connections": ("dbz_monitor_active_connections", "", 1.0),
        "memory_bytes": ("dbz_monitor_memory_bytes", "bytes", 1.0),
        "probe_ms": ("dbz_monitor_probe_seconds", "seconds", 1e-3),
        "up": ("dbz_monitor_up", "", 1.0),
    }
    for key, expected in names.items():
        metric = metric_name(key)
        assert (metric.name, metric.unit, metric.factor) == expected


@pytest.mark.parametrize("form", ["openmetrics", "prometheus"])
def test_prometheus_reads_values_units_and_times(store: MonitorStore, form: str) -> None:
    text = "".join(exported(store, form, START_S, START_S + 4000, 1))
    read = read_openmetrics if form == "openmetrics" else read_prometheus
    families = {family.name: family for family in read(text)}
    times = families["dbz_monitor_response_time_seconds"]
    assert times.type == "gauge" and len(times.samples) == 370
    assert times.samples[1].value == pytest.approx(0.26 + START_S % 60 / 1000)
    assert times.samples[1].labels == {"target": "api"}
    assert float(times.samples[1].timestamp) == START_S + 10
    if form == "openmetrics":
        assert times.unit == "seconds" and families["dbz_monitor_cpu_ratio"].unit == "ratio"
    up = families["dbz_monitor_up"].samples
    assert {sample.labels["target"] for sample in up} == {"api", 'odd "one"\\'} and len(up) == 740


@given(st.text())
def test_whatever_a_figure_is_called_its_name_is_sound(key: str) -> None:
    metric = metric_name(key)
    assert re.fullmatch(r"dbz_monitor_[a-z0-9_]*[a-z0-9]", metric.name) and metric.name.endswith(metric.unit)


def test_figures_that_become_one_name_are_one_metric(tmp_path: Path) -> None:
    with MonitorStore(tmp_path / "m.db") as store:
        store.keep(Round(float(START_S), {"a": {"lag_ms": 1500.0}, "b": {"lag s": 2.0}}))
        text = "".join(exported(store, "openmetrics", START_S, START_S + 9, 1))
    family = next(one for one in read_openmetrics(text) if one.name == "dbz_monitor_lag_seconds")
    assert {sample.labels["target"]: sample.value for sample in family.samples} == {"a": 1.5, "b": 2.0}


def test_csv_has_all_of_a_roll_up(store: MonitorStore) -> None:
    rows = list(csv.DictReader(io.StringIO("".join(exported(store, "csv", START_S, START_S + 4000, 60)))))
    minute = next(row for row in rows if row["figure"] == "response time")
    assert minute["readings"] == "6" and float(minute["mean"]) == 275 + START_S % 60
    assert (float(minute["low"]), float(minute["high"])) == (250, 300)
    assert minute["target"] == "api" and minute["time"].endswith("Z")


def test_the_command_writes_a_file_whole_and_says_what_is_wrong(tmp_path: Path) -> None:
    state = ["--state", str(tmp_path / "m.db")]
    with MonitorStore(tmp_path / "m.db") as store:
        store.keep(Round(time.time() - 60, {"api": {"up": True}}))
    done = CliRunner().invoke(app, ["export", *state, "--format", "openmetrics", "--out", str(tmp_path / "x.om")])
    assert done.exit_code == 0 and done.output == ""
    assert [family.name for family in read_openmetrics((tmp_path / "x.om").read_text())] == [
        "dbz_monitor_period_seconds",
        "dbz_monitor_up",
    ]
    shown = CliRunner().invoke(app, ["export", *state, "--format", "csv", "--range", "30s"])
    assert shown.output == "time,target,figure,readings,mean,low,high,last\n"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    piped = CliRunner().invoke(app, ["export", *state, "--out", str(tmp_path / "pipe")])
    assert piped.exit_code == 0 and os.read(reader, 100_000).endswith(b"# EOF\n")
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo(), "what is no file is not replaced"
    with pytest.raises(UsageError, match="is no file"):
        MonitorStore(tmp_path / "pipe")
    for wrong in (["--out", "."], ["--range", "soon"], ["--step", "0.5s"], ["--out", str(tmp_path / "no" / "x")]):
        assert CliRunner().invoke(app, ["export", *state, *wrong]).exception is not None
    assert "has no series" in str(CliRunner().invoke(app, ["export", "--state", str(tmp_path / "n.db")]).exception)
