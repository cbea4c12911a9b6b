"""The local cloud against AWS's documentation, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from dbz.cloud.cloudwatch.alarms import EXTRA_PERIODS, evaluate_alarm, state_of
from dbz.cloud.cloudwatch.expressions import evaluate_series
from tests.cloud import documented
from tests.cloud.clouds import RunningCloud, running_cloud
from tests.cloud.documented import ALARM, NO_DATA, OK, SAME, TREATMENTS, Points, Row

STATES = (OK, ALARM, NO_DATA)


def points_of(text: str) -> list[bool | None]:
    return [{"0": False, "X": True, "-": None}[sign] for sign in text.split()]


def check(row: Row, needed: int) -> None:
    for treatment, wanted in zip(TREATMENTS, row[1:], strict=True):
        for state in STATES:
            found = state_of(points_of(row[0]), 3, needed, treatment, state)
            assert found == (state if wanted == SAME else wanted), (row[0], treatment, state)


@pytest.mark.parametrize("row", documented.THREE_OF_THREE, ids=lambda row: row[0])
def test_three_out_of_three(row: Row) -> None:
    check(row, 3)


@pytest.mark.parametrize("row", documented.TWO_OF_THREE, ids=lambda row: row[0])
def test_two_out_of_three(row: Row) -> None:
    check(row, 2)


@pytest.mark.parametrize(("needed", "row"), documented.EDITION_OF_2020)
def test_rows_of_the_edition_of_2020(needed: int, row: Row) -> None:
    check(row, needed)


@pytest.mark.parametrize("text", [*documented.NOT_YET, *documented.TAKEN_BACK])
def test_premature_alarms_are_avoided(text: str) -> None:
    state = state_of(points_of(text), 3, 3, "missing", OK)
    assert state == OK if text in documented.TAKEN_BACK else state != ALARM


POINTS = st.lists(st.sampled_from([True, False, None]), min_size=3, max_size=9)


@given(POINTS, st.integers(1, 7), st.sampled_from(TREATMENTS), st.sampled_from(STATES))
def test_enough_real_points_make_the_treatment_ineffective(
    points: list[bool | None], needed: int, treatment: str, state: str
) -> None:
    """And an alarm by `notBreaching` always has M real breaching points."""
    periods = max(1, len(points) - EXTRA_PERIODS)
    needed = min(needed, periods)
    real = [point for point in points if point is not None]
    found = state_of(points, periods, needed, treatment, state)
    if len(real) >= periods:
        assert found == (ALARM if sum(real[-periods:]) >= needed else OK)
    if treatment == "notBreaching" and found == ALARM:
        assert sum(real) >= needed


@pytest.mark.parametrize(("expression", "wanted"), documented.OPERATORS)
def test_operators(expression: str, wanted: Points) -> None:
    assert evaluate_series(expression, {"m1": documented.M1, "m2": documented.M2}, 4) == wanted


@pytest.mark.parametrize(("expression", "wanted"), documented.CHOICES)
def test_if(expression: str, wanted: Points) -> None:
    series = {"m1": documented.C1, "m2": documented.C2, "m3": documented.C3}
    assert evaluate_series(expression, series, 5) == wanted


@pytest.mark.parametrize(("expression", "wanted"), documented.FILLINGS)
def test_fill(expression: str, wanted: Points) -> None:
    assert evaluate_series(expression, {"m1": documented.GAPS, "m2": [1.0] * 5}, 5) == wanted


def test_periods_of_alarms(tmp_path: Path) -> None:
    """Of a cloud whose metrics come once a minute; one for rehearsals takes seconds too."""
    with running_cloud(tmp_path, "--period", "60") as cloud:
        for period, taken in documented.PERIODS.items():
            if taken:
                put(cloud, f"p{period}", Period=period)
                continue
            with pytest.raises(ClientError, match="Invalid Period"):
                put(cloud, f"p{period}", Period=period)


def put(cloud: RunningCloud, name: str, **settings: Any) -> None:
    cloud.client("cloudwatch").put_metric_alarm(
        **{"AlarmName": name, "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average",
           "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
           **settings}
    )  # fmt: skip


class Metric:
    """One metric as moto keeps it, with datapoints that come when they come."""

    def __init__(self) -> None:
        self.metric_data: list[Any] = []

    def come(self, minute: int, value: float) -> None:
        at = datetime.fromtimestamp(minute * 60 + 5, UTC)
        self.metric_data.append(
            SimpleNamespace(name="CPUUtilization", namespace="AWS/ECS", timestamp=at, dimensions=[], value=value)
        )


class Alarm(SimpleNamespace):
    """What moto keeps of an alarm."""

    def update_state(self, _reason: str, _data: str, state: str) -> None:
        self.state_value = state


def alarm_of(periods: int, needed: int, missing: str) -> Alarm:
    return Alarm(
        name="a", metric_data_queries=[], period=60, evaluation_periods=periods, datapoints_to_alarm=needed,
        namespace="AWS/ECS", metric_name="CPUUtilization", statistic="Average", extended_statistic=None,
        dimensions=[], comparison_operator="GreaterThanThreshold", threshold=70.0, treat_missing_data=missing,
        state_value=OK,
    )  # fmt: skip


def states(late: int, values: Sequence[float], missing: str, stops_after: int = 0) -> list[str]:
    """The state at the end of each minute, when each datapoint comes so many minutes late, and none at the end."""
    metric, alarm = Metric(), alarm_of(3, 3, missing)
    found = []
    for minute in range(len(values) + stops_after):
        arrived = minute - late
        if 0 <= arrived < len(values):
            metric.come(arrived, values[arrived])
        evaluate_alarm(metric, alarm, (minute + 1) * 60.0)
        found.append(str(alarm.state_value))
    return found


@pytest.mark.parametrize("late", [0, 1, 2])
@pytest.mark.parametrize("missing", TREATMENTS)
def test_late_datapoints_are_evaluated_when_they_have_come(late: int, missing: str) -> None:
    """As long as the evaluation range reaches them, all treatments alarm, each minute of lateness a minute later."""
    found = states(late, [90.0] * 8, missing)
    assert found[3 + late :] == [ALARM] * (5 - late)
    if missing == "notBreaching":
        assert found[: 2 + late] == [OK] * (2 + late)


def test_a_metric_that_stops_ends_the_alarm_by_the_treatment() -> None:
    ends = {missing: states(0, [90.0] * 5, missing, stops_after=6)[-1] for missing in TREATMENTS}
    assert ends == {"missing": NO_DATA, "ignore": ALARM, "breaching": ALARM, "notBreaching": OK}


def test_a_percentile_of_somebody_elses_alarm_is_known_too() -> None:
    metric, alarm = Metric(), alarm_of(1, 1, "missing")
    alarm.statistic, alarm.extended_statistic = None, "p90"
    for value in range(1, 101):
        metric.come(0, float(value))
    assert evaluate_alarm(metric, alarm, 60.0) == 90.0 and alarm.state_value == ALARM


def test_what_is_not_known_here_leaves_the_alarm_as_it_is() -> None:
    alarm = alarm_of(1, 1, "missing")
    alarm.statistic = "TM(10%:90%)"
    metric = Metric()
    metric.come(0, 90.0)
    assert evaluate_alarm(metric, alarm, 60.0) is None and alarm.state_value == OK
