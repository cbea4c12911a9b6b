"""The line that CloudWatch makes a metric of, and the local cloud's reading of it."""

from __future__ import annotations

import json
from pathlib import Path

from dbz.cloud.cloudwatch.logs import LogFollower, Logged
from dbz.server.__main__ import command_line, settings_of
from dbz.server.observe.emf import emf_line
from dbz.server.settings import Emf


def test_a_line_is_in_the_embedded_metric_format() -> None:
    line = json.loads(emf_line(Emf(cluster="shop", service="web"), 42, 1_700_000_000.5))
    assert (line["ClusterName"], line["ServiceName"], line["ActiveConnections"]) == ("shop", "web", 42)
    (about,) = line["_aws"]["CloudWatchMetrics"]
    assert line["_aws"]["Timestamp"] == 1_700_000_000_500
    assert (about["Namespace"], about["Dimensions"]) == ("dbz", [["ClusterName", "ServiceName"]])
    assert about["Metrics"] == [{"Name": "ActiveConnections", "Unit": "Count"}]


def test_a_log_is_followed_by_whole_lines(tmp_path: Path) -> None:
    log, settings = tmp_path / "task.log", Emf(cluster="dbz", service="api")
    reader = LogFollower(log)
    assert reader.new() == []
    first, second = (emf_line(settings, count, 5.0) for count in (1, 2))
    log.write_text(f'{{"message": "hello"}}\n{first}\nnot "_aws" at all\n{second[:20]}')
    of = {"ClusterName": "dbz", "ServiceName": "api"}
    assert reader.new() == [Logged("dbz", "ActiveConnections", "Count", of, 1.0, 5.0)]
    with log.open("a") as file:
        file.write(second[20:] + "\n")
    assert [one.value for one in reader.new()] == [2.0]
    assert reader.new() == []


def test_the_service_is_named_on_the_command_line() -> None:
    assert settings_of(command_line(["--emf", "shop/web", "--emf-period", "5"])).emf == Emf(
        cluster="shop", service="web", period_s=5
    )
    assert settings_of(command_line([])).emf.service == ""
