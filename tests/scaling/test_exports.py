"""What CloudWatch gives out as a load to simulate: answers of its API, and the CSV of its console."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.errors import ConfigError
from dbz.scaling.simulate.exports import Recorded, rows_of
from dbz.scaling.simulate.traces import read_traces
from tests.cloud.clouds import RunningCloud

BEGIN = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=2)
CPU, TASKS, REQUESTS = [50.0, 75.0, 100.0, 25.0], [4.0, 4.0, 4.0, 2.0], [6000.0, 9000.0, 12000.0, 1500.0]


def written(path: Path, document: Any) -> Path:
    """As the AWS command line prints it."""
    path.write_text(json.dumps(document, default=lambda moment: moment.isoformat()))
    return path


@pytest.fixture(scope="module")
def recorded(module_cloud: RunningCloud) -> Any:
    """An account in which four minutes were recorded, of which the third has no datapoint of the load balancer."""
    cloudwatch = module_cloud.client("cloudwatch")
    for namespace, name, unit, values in (
        ("hand/ECS", "CPUUtilization", "Percent", CPU), ("hand/ECS", "RunningTaskCount", "Count", TASKS),
        ("hand/ALB", "RequestCount", "Count", [*REQUESTS[:2], None, REQUESTS[3]]),
    ):  # fmt: skip
        rows = [
            {"MetricName": name, "Timestamp": BEGIN + timedelta(minutes=at), "Value": value, "Unit": unit}
            for at, value in enumerate(values)
            if value is not None
        ]
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=rows)
    return cloudwatch


def statistics(cloudwatch: Any, namespace: str, name: str, statistic: str) -> Any:
    answer = cloudwatch.get_metric_statistics(
        Namespace=namespace, MetricName=name, StartTime=BEGIN, EndTime=BEGIN + timedelta(minutes=4), Period=60,
        Statistics=[statistic],
    )  # fmt: skip
    return {key: answer[key] for key in ("Label", "Datapoints")}


def test_get_metric_statistics_has_one_metric_a_file(recorded: Any, tmp_path: Path) -> None:
    cpu = written(tmp_path / "cpu.json", statistics(recorded, "hand/ECS", "CPUUtilization", "Average"))
    tasks = written(tmp_path / "tasks.json", statistics(recorded, "hand/ECS", "RunningTaskCount", "Average"))
    trace = read_traces([cpu, tasks], 50.0)
    assert [trace.demand[minute * 60] for minute in range(4)] == [2.0, 3.0, 4.0, 0.5]
    assert (len(trace), trace.censored_s) == (240, 60), "100 % says only the least"
    assert read_traces([cpu], 50.0, tasks=10).demand[0] == 5.0
    with pytest.raises(ConfigError, match="--recorded-tasks N"):
        read_traces([cpu], 50.0)
    wrong = written(tmp_path / "max.json", statistics(recorded, "hand/ECS", "CPUUtilization", "Maximum"))
    with pytest.raises(ConfigError, match="CPUUtilization needs the statistic Average; it has Maximum"):
        read_traces([wrong], 50.0, tasks=2)


def test_get_metric_data_has_several_series_and_a_gap_is_read_off_the_cpu(recorded: Any, tmp_path: Path) -> None:
    def query(name: str, namespace: str, metric: str, statistic: str) -> dict[str, Any]:
        stat = {"Metric": {"Namespace": namespace, "MetricName": metric}, "Period": 60, "Stat": statistic}
        return {"Id": name, "MetricStat": stat}

    queries = [
        query("m1", "hand/ECS", "CPUUtilization", "Average"), query("tasks", "hand/ECS", "RunningTaskCount", "Average"),
        query("r", "hand/ALB", "RequestCount", "Sum"),
    ]  # fmt: skip
    answer = recorded.get_metric_data(MetricDataQueries=queries, StartTime=BEGIN, EndTime=BEGIN + timedelta(minutes=4))
    trace = read_traces([written(tmp_path / "data.json", {"MetricDataResults": answer["MetricDataResults"]})], 50.0)
    assert [trace.demand[minute * 60] for minute in range(4)] == [2.0, 3.0, 4.0, 0.5]
    assert trace.censored_s == 60


CONSOLE = """\
Id,m1,tasks,m3
StatusCode,Complete,Complete,Complete
Messages,,,
Full label,eu-west-1:AWS/ECS ClusterName:dbz ServiceName:api CPUUtilization Average 60,\
eu-west-1:ECS/ContainerInsights ClusterName:dbz ServiceName:api RunningTaskCount Average 60,\
eu-west-1:AWS/ApplicationELB TargetGroup:targetgroup/t/2 LoadBalancer:app/a/1 RequestCountPerTarget Sum 60
Label,api,RunningTaskCount,RequestCountPerTarget
2026/11/02 10:00:00,50,4,1500
2026/11/02 10:01:00,75,4,
2026/11/02 10:03:00,25,2,750
2026/11/02 10:04:00,2.5e1,2,750
"""
"""The rows that stand in what the console's "Download as .csv" gives, as its users describe it."""
HEADS, BODY = CONSOLE[: CONSOLE.index("2026/")], CONSOLE[CONSOLE.index("2026/") :]


@pytest.mark.parametrize(
    "raw",
    [
        CONSOLE.encode(),
        CONSOLE.encode("utf-8-sig"),
        CONSOLE.replace("\n", "\r\n").encode("utf-16"),
        (HEADS + "".join(reversed(BODY.splitlines(keepends=True)))).encode(),
        CONSOLE.replace("/11/02 ", "-11-02T").replace(":00,", ":00.000Z,").encode(),
        "\n".join('"' + line.replace(",", '","') + '"' for line in CONSOLE.splitlines()).encode(),
        # Rows of other tools: nothing but the labels, or the parts of the full label in rows of their own.
        f"Label,CPUUtilization,RunningTaskCount,RequestCountPerTarget\n{BODY}".encode(),
        ("Label,a,b,c\nMetricName,CPUUtilization,RunningTaskCount,RequestCountPerTarget\nStatistic,Average,Average,Sum\n"
         f"Period,60,60,60\n{BODY}").encode(),
    ],
)  # fmt: skip
def test_a_csv_of_the_console_has_words_about_each_column_and_then_times(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "c.csv").write_bytes(raw)
    trace = read_traces([tmp_path / "c.csv"], 50.0)
    assert [trace.demand[minute * 60] for minute in range(5)] == [2.0, 3.0, None, 0.5, 0.5]


def test_the_full_label_says_the_period_where_the_datapoints_alone_would_say_another(tmp_path: Path) -> None:
    """Two datapoints an hour apart, each of five minutes: they say nothing of the time between them."""
    label = "eu-west-1:AWS/ECS ClusterName:dbz ServiceName:api CPUUtilization Average 300"
    (tmp_path / "c.csv").write_text(f"Id,m1\nFull label,{label}\n2026/11/02 10:00:00,50\n2026/11/02 11:00:00,75\n")
    demand = read_traces([tmp_path / "c.csv"], 50.0, tasks=4).demand
    assert (demand[299], demand[300], demand[3600]) == (2.0, None, 3.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ('{"Metrics": []}', "is neither an answer of GetMetricData"),
        ('{"MetricDataResults": []}', "none of its metrics is a load"),
        ('{"MetricDataResults": [{"Label": "CPUUtilization", "Timestamps": [1], "Values": []}]}', "cannot be read"),
        ('{"Label": "CPUUtilization", "Datapoints": [{"Timestamp": "noon", "Average": 1}]}', "'noon' is no time"),
        ('{"Label": "CPUUtilization", "Datapoints": [{"Timestamp": 0, "Average": 1}]}', "at least two datapoints"),
        (CONSOLE.replace("CPUUtilization Average", "CPUUtilization p99"), "cpu needs the statistic Average, not p99"),
        (CONSOLE.replace(",75,", ",much,"), "'much' at 2026/11/02 10:01:00 is not a number"),
        (CONSOLE.replace("RequestCountPerTarget", "CPUUtilization").replace("Sum", "Average"), "are both cpu"),
        (CONSOLE.replace("Complete,Complete,", "InternalError,Complete,"), "CloudWatch says InternalError of it"),
        (CONSOLE.replace("2026/11/02 10:03:00", "2027/11/02 10:03:00"), "covers more than 31 days"),
    ],
)
def test_what_is_no_recorded_load_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_traces([tmp_path / "t"], 50.0, tasks=None if "none" in message else 2)
    assert message in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([20, 60, 300]), st.sampled_from([20, 60, 300]),
    st.lists(st.one_of(st.none(), st.floats(0, 100)), min_size=2, max_size=20),
)  # fmt: skip
def test_every_datapoint_counts_for_its_own_period_and_for_no_other(
    cpu_s: int, tasks_s: int, values: list[float | None]
) -> None:
    points = {number * float(cpu_s): value for number, value in enumerate(values) if value is not None}
    cpu = Recorded("cpu", "c", points)
    tasks = Recorded("tasks", "t", {number * float(tasks_s): 3.0 for number in range(40)})
    if cpu.period_s != cpu_s:  # so few datapoints that nobody can tell
        return
    rows = rows_of([cpu, tasks], "x", None)
    ends_s = [at_s for at_s, _ in rows[1:]] + [rows[-1][0] + min(cpu_s, tasks_s)]
    for (begin_s, row), end_s in zip(rows, ends_s, strict=True):
        for at_s in range(round(begin_s), round(end_s), min(cpu_s, tasks_s)):
            assert row["cpu"] == points.get(at_s // cpu_s * cpu_s)


def test_a_gap_of_weeks_is_one_row() -> None:
    points = {0.0: 1.0, 1.0: 2.0, 2.0: 3.0, 14 * 86_400.0: 4.0}
    rows = rows_of([Recorded("cpu", "c", points)], "x", 3)
    assert [(at_s, row["cpu"]) for at_s, row in rows] == [
        (0, 1), (1, 2), (2, 3), (3, None), (14 * 86_400 - 1, None), (14 * 86_400, 4),
    ]  # fmt: skip
