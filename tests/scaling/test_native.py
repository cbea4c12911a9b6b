"""The alarms that are made of sentences, evaluated as AWS documents it, against the engine of the daemon."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dbz.cloud.cloudwatch.alarms import state_of
from dbz.cloud.cloudwatch.expressions import evaluate_series
from dbz.config.phases.file import build_phases
from dbz.config.phases.plan import Phases, Scaling
from dbz.config.source.source import parse_yaml
from dbz.errors import ConfigError, UsageError
from dbz.scaling.decide.policies import rules_of
from dbz.scaling.decide.rules import RuleEngine, Sample
from dbz.scaling.decide.sources import in_units
from dbz.scaling.native import alarms_for, queries_for

HEAD = """\
schema: dbz.phases/1
phases: [{name: a, users: 9, connections: 5, requests: 1/s, api_servers: {min: 1, max: 3}}]
"""
BALANCER = "scaling: {load_balancer: app/a/1, target_group: targetgroup/t/2}\n"
IN = (
    "CPU < 30% for 3 minutes", "Memory <= 50% for 3 minutes", "Active connections < 40% capacity for 3 minutes",
    "Response time < 200ms for 3 minutes", "Error rate < 1% for 3 minutes",
)  # fmt: skip
OUT = ("CPU > 70% for 3 minutes", "Error rate >= 5% for 2 of 3 minutes", "Response time > 500ms")
RAW = {
    "CPUUtilization": [10.0, 30.0, 95.0], "MemoryUtilization": [20.0, 50.0, 80.0],
    "ActiveConnections": [0.0, 99.0, 240.0], "TargetResponseTime": [0.05, 0.2, 0.9],
    "HTTPCode_Target_5XX_Count": [1.0, 30.0], "HTTPCode_ELB_5XX_Count": [2.0, 60.0], "RequestCount": [100.0, 1000.0],
}  # fmt: skip
"""Datapoints of one period, as CloudWatch has them."""


def plan_of(text: str) -> Phases:
    return build_phases(parse_yaml(HEAD + text, "p.yaml"))


def listed(name: str, sentences: tuple[str, ...]) -> str:
    return f"{name}:\n" + "".join(f'  - "{one}"\n' for one in sentences)


PLAN = plan_of(listed("scale_out_when_any", OUT) + listed("scale_in_when_all", IN) + BALANCER)

Minute = dict[str, float | None]


def minutes() -> st.SearchStrategy[list[Minute]]:
    """So many minutes of datapoints, any of them missing."""
    minute = st.fixed_dictionaries({name: st.sampled_from([None, *values]) for name, values in RAW.items()})
    return st.lists(minute, min_size=5, max_size=5)


def breaching(alarm: dict[str, Any], rows: list[Minute]) -> list[bool | None]:
    """Which minutes breach an alarm, None where it has no datapoint."""
    if "Metrics" not in alarm:
        points = [row[alarm["MetricName"]] for row in rows]
    else:
        series = {
            query["Id"]: [row[query["MetricStat"]["Metric"]["MetricName"]] for row in rows]
            for query in alarm["Metrics"] if "MetricStat" in query
        }  # fmt: skip
        points = evaluate_series(alarm["Metrics"][-1]["Expression"], series, len(rows))
    compare = {
        "GreaterThanThreshold": lambda a, b: a > b, "GreaterThanOrEqualToThreshold": lambda a, b: a >= b,
        "LessThanThreshold": lambda a, b: a < b, "LessThanOrEqualToThreshold": lambda a, b: a <= b,
    }[alarm["ComparisonOperator"]]  # fmt: skip
    return [None if point is None else compare(point, alarm["Threshold"]) for point in points]


def state(alarm: dict[str, Any], rows: list[Minute]) -> str:
    needed, periods = int(alarm["DatapointsToAlarm"]), int(alarm["EvaluationPeriods"])
    return state_of(breaching(alarm, rows), periods, needed, alarm["TreatMissingData"], "OK")


def engine_after(rows: list[Minute]) -> RuleEngine:
    """The daemon's engine after the same minutes, with 2 tasks."""
    engine = RuleEngine(rules_of(PLAN, 1, 3))
    conditions = (*PLAN.scale_out_when_any, *PLAN.scale_in_when_all)
    samples = []
    for number, row in enumerate(rows, 1):
        values = {}
        for condition in conditions:
            queries = queries_for(condition.metric, PLAN.scaling, "q")
            points = [row[query["MetricStat"]["Metric"]["MetricName"]] for query in queries]
            values[condition.metric] = in_units(condition.metric, points, 2, 60)
        samples.append(Sample(number * 60.0, 2, values))
    for sample in samples:
        engine.observe(sample)
    return engine


@given(minutes())
def test_what_the_alarms_say_is_what_the_daemon_says(rows: list[Minute]) -> None:
    """Minute by minute, an alarm breaches where the sentence holds; where nothing is missing, the alarm lasts exactly
    when the sentence is met. Where something is, scaling in never happens on fewer real minutes than the sentence has.
    """
    alarms = alarms_for(PLAN, "p/")
    inwards = alarms.pop("p/in")
    for number, alarm in enumerate(alarms.values()):
        for last in range(1, 6):
            standing = engine_after(rows[:last]).standings()[number]
            held = breaching(dict(alarm), rows[:last])[-1]
            assert (standing.value is None or held is None) or held == standing.condition.compare(
                standing.value, standing.condition.limit
            )
    assert sum(one is True for one in breaching(dict(inwards), rows)) >= 3 or state(dict(inwards), rows) == "OK"
    if all(value is not None for row in rows for value in row.values()):
        met = [one.met for one in engine_after(rows).standings()]
        assert [state(dict(alarm), rows) == "ALARM" for alarm in alarms.values()] == met[: len(OUT)]
        assert (state(dict(inwards), rows) == "ALARM") == all(met[len(OUT) :])


FINE: Minute = {
    "CPUUtilization": 10.0, "MemoryUtilization": 20.0, "ActiveConnections": 0.0, "TargetResponseTime": 0.05,
    "HTTPCode_Target_5XX_Count": None, "HTTPCode_ELB_5XX_Count": None, "RequestCount": 100.0,
}  # fmt: skip


def test_an_error_rate_without_any_failure_is_no_error_rate_that_is_missing() -> None:
    assert state(dict(alarms_for(PLAN, "p/")["p/in"]), [FINE] * 5) == "ALARM"


@pytest.mark.parametrize(
    "name", ["CPUUtilization", "MemoryUtilization", "ActiveConnections", "TargetResponseTime", "RequestCount"]
)
def test_a_metric_that_is_missing_never_scales_in(name: str) -> None:
    """Zero, which a comparison may take it for, would be below every limit."""
    inwards = dict(alarms_for(PLAN, "p/")["p/in"])
    assert state(inwards, [{**FINE, name: None}] * 5) == "OK"
    assert state(inwards, [FINE, FINE, *[{**FINE, name: None}] * 3]) == "OK", "two minutes are no three"


@pytest.mark.parametrize("late", [1, 2])
def test_datapoints_that_are_late_do_not_keep_it_from_scaling_in(late: int) -> None:
    rows = [FINE] * (5 - late) + [dict.fromkeys(FINE)] * late
    assert state(dict(alarms_for(PLAN, "p/")["p/in"]), rows) == "ALARM"


@pytest.mark.parametrize("name", ["CPUUtilization", "TargetResponseTime"])
def test_one_hot_minute_with_nothing_after_it_scales_nothing_out(name: str) -> None:
    """It would by TreatMissingData `missing`: the premature alarm."""
    empty: Minute = dict.fromkeys(FINE)
    rows = [empty, empty, {**empty, name: 99.0}, empty, empty]
    assert state(dict(alarms_for(PLAN, "p/")["p/out CPU > 70% for 3 minutes"]), rows) == "OK"


def test_failures_of_the_load_balancer_itself_count() -> None:
    """All targets are gone: no request has chosen one, so nothing else has a datapoint."""
    dead: Minute = {**dict.fromkeys(FINE), "HTTPCode_ELB_5XX_Count": 500.0}
    (alarm,) = [one for name, one in alarms_for(PLAN, "p/").items() if "Error rate" in name]
    assert state(dict(alarm), [dead] * 5) == "ALARM"
    assert engine_after([dead] * 5).standings()[1].value == 1.0


def test_metrics_of_a_load_balancer_are_those_of_the_target_group() -> None:
    """But what the balancer answers itself is counted for the whole of it."""
    found = {
        metric["MetricName"]: [one["Name"] for one in metric["Dimensions"]]
        for alarm in alarms_for(PLAN, "p/").values()
        for query in alarm.get("Metrics", [{"MetricStat": {"Metric": alarm}}]) if "MetricStat" in query
        for metric in (query["MetricStat"]["Metric"],)
    }  # fmt: skip
    own = ["LoadBalancer", "TargetGroup"]
    assert found["TargetResponseTime"] == found["RequestCount"] == found["HTTPCode_Target_5XX_Count"] == own
    assert found["HTTPCode_ELB_5XX_Count"] == ["LoadBalancer"]


def test_more_metrics_than_an_alarm_takes_are_refused() -> None:
    sentences = tuple(f"Error rate < {limit}% for 3 minutes" for limit in range(1, 5))
    with pytest.raises(UsageError, match="needs 12 metrics, and an alarm takes 10 at most"):
        alarms_for(plan_of(listed("scale_in_when_all", sentences) + BALANCER), "p/")


@pytest.mark.parametrize("period", ["45s", "15s", "90s", "61s", "100s"])
def test_periods_that_aws_refuses_are_refused_with_the_plan(period: str) -> None:
    with pytest.raises(ConfigError, match=r"p.yaml:4: scaling.period .* 10, 20, 30 s or whole minutes"):
        plan_of(f'scale_out_when_any: ["CPU > 70%"]\nscaling: {{period: {period}}}\n')
    plan_of(f"scaling: {{period: {period}}}\n")


@pytest.mark.parametrize("period", ["1s", "2s", "5s", "10s", "20s", "30s", "60s", "5m"])
def test_periods_that_aws_or_a_rehearsal_takes(period: str) -> None:
    plan_of(f'scale_out_when_any: ["CPU > 70%"]\nscaling: {{period: {period}}}\n')


BALANCER_ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/a-b/50dc6c495c0c9188"
GROUP_ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/t/943f017f100becff"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"load_balancer": BALANCER_ARN, "target_group": GROUP_ARN},
         ("app/a-b/50dc6c495c0c9188", "targetgroup/t/943f017f100becff")),
        ({"load_balancer": "app/a-b/50dc6c495c0c9188"}, ("app/a-b/50dc6c495c0c9188", "")),
        ({"load_balancer": "a-b"}, "'a-b' is no load balancer; write app/NAME/ID"),
        ({"load_balancer": "a-b-123.eu-west-1.elb.amazonaws.com"}, "is no load balancer"),
        ({"load_balancer": "net/n/50dc6c495c0c9188"}, "is no Application Load Balancer"),
        ({"target_group": "t"}, "'t' is no target group; write targetgroup/NAME/ID"),
        ({"target_group": BALANCER_ARN}, "is no target group"),
    ],
)  # fmt: skip
def test_balancers_are_named_as_cloudwatch_does_or_by_their_arns(
    said: dict[str, str], kept: tuple[str, str] | str
) -> None:
    """An alarm on any other name would never have a datapoint."""
    if isinstance(kept, tuple):
        scaling = Scaling.model_validate(said)
        assert (scaling.load_balancer, scaling.target_group) == kept
        return
    with pytest.raises(ValidationError, match=re.escape(kept)):
        Scaling.model_validate(said)
