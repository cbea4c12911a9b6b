"""Target tracking: the policies that are planned, and what the tracker does with known loads."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.config.grammar.target_tracking import parse_target
from dbz.config.phases.file import build_phases
from dbz.config.phases.plan import ApiServers, Phases
from dbz.config.source.source import parse_yaml
from dbz.errors import ConfigError, UsageError
from dbz.report.terminal.scale.words import alarm_text, step_texts
from dbz.scaling.change.planner import fine_metrics, plan_native
from dbz.scaling.change.state import Alarm
from dbz.scaling.change.steps import Kind
from dbz.scaling.decide.policies import controller_of
from dbz.scaling.decide.tracking import TargetTracker, tracking_policies
from dbz.scaling.simulate.simulator import Simulation, simulate
from dbz.scaling.simulate.traces import Trace
from tests.scaling.lives import live

HEAD = """\
schema: dbz.phases/1
phases: [{name: a, users: 9, connections: 5, requests: 1/s, api_servers: {min: 1, max: 3}}]
"""
BALANCER = "load_balancer: app/a/1, target_group: targetgroup/t/2"


def plan_of(text: str) -> Phases:
    return build_phases(parse_yaml(HEAD + text, "p.yaml"))


def test_each_target_is_a_policy_in_the_unit_of_its_metric() -> None:
    plan = plan_of(
        "target_tracking: [CPU at 60%, memory at 75%, connections at 60% capacity, requests at 10/s per task]\n"
        f"scaling: {{cooldown_out: 1m, cooldown_in: 5m, {BALANCER}}}\n"
    )
    found = tracking_policies(plan.target_tracking, plan.scaling)
    assert list(found) == ["dbz-track-cpu", "dbz-track-memory", "dbz-track-connections", "dbz-track-requests"]
    settings = [one["TargetTrackingScalingPolicyConfiguration"] for one in found.values()]
    assert [one["TargetValue"] for one in settings] == [60.0, 75.0, 150.0, 600.0]
    assert {(one["ScaleOutCooldown"], one["ScaleInCooldown"]) for one in settings} == {(60, 300)}
    assert settings[2]["CustomizedMetricSpecification"]["MetricName"] == "ActiveConnections"
    assert settings[3]["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": "app/a/1/targetgroup/t/2",
    }  # fmt: skip


def test_requests_need_the_target_group_named() -> None:
    plan = plan_of("target_tracking: [requests at 10/s per task]\n")
    with pytest.raises(UsageError, match=r"needs scaling.load_balancer and scaling.target_group"):
        tracking_policies(plan.target_tracking, plan.scaling)


def test_a_plan_that_tracks_needs_a_range_and_its_policies_and_takes_away_the_steps() -> None:
    plan = plan_of("target_tracking: [CPU at 60%]\nscale_out_when_any: [CPU > 90% for 2 minutes]\n")
    servers = ApiServers(min=1, max=3)
    steps = plan_native(live(2), plan, servers).steps
    assert [(step.kind, step.resource) for step in steps] == [
        (Kind.TARGET, "service/dbz/api"), (Kind.POLICY, "dbz-out"), (Kind.POLICY, "dbz-track-cpu"),
        (Kind.ALARM, "dbz/dbz/api/out CPU > 90% for 2 minutes"),
    ]  # fmt: skip
    before = live(2, target=(1, 3), policies={step.resource: step.after for step in steps if step.kind is Kind.POLICY})
    alarm = json.loads(json.dumps(steps[-1].after))
    before = replace(before, alarms={steps[-1].resource: Alarm(steps[-1].resource, "OK", "", alarm)})
    assert plan_native(before, plan, servers).steps == ()
    without = plan_native(before, plan_of("scale_out_when_any: [CPU > 90% for 2 minutes]\n"), servers).steps
    assert [(step.resource, step.after) for step in without] == [("dbz-track-cpu", None)]


def test_policies_and_alarms_of_aws_read_as_what_they_keep() -> None:
    plan = plan_of(f"target_tracking: [CPU at 60%, requests at 10/s per task]\nscaling: {{{BALANCER}}}\n")
    steps = [step for step in plan_native(live(2), plan, ApiServers(min=1, max=3)).steps if step.kind is Kind.POLICY]
    assert [step_texts(step)[1] for step in steps] == ["keeps CPU at 60 %", "keeps requests at 600 a minute per task"]
    settings = {"AlarmActions": ["policy:dbz-track-cpu"], "ComparisonOperator": "LessThanThreshold"}
    name = "TargetTracking-service/dbz/api-AlarmLow-1"
    assert alarm_text(Alarm(name, "OK", "", settings)) == "dbz-track-cpu, below its target"
    assert alarm_text(Alarm("mine", "OK", "", settings)) == "mine"


def test_alarms_that_aws_makes_and_changes_are_no_drift() -> None:
    mine, theirs = Alarm("dbz/dbz/api/in", "OK", "", {"Threshold": 1}), Alarm("TargetTracking-x", "OK", "", {})
    assert live(alarms={"a": theirs}).fingerprint() == live().fingerprint() != live(alarms={"a": mine}).fingerprint()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("target_tracking: [CPU at 60%, CPU at 70%]", "p.yaml:3: CPU is to be kept in two places"),
        ("target_tracking: [CPU at 60%]\nscale_in_when_all: [CPU < 30%]", "p.yaml:4: target_tracking scales in by"),
        ("target_tracking: [CPU at 60%]\nscaling: {autoscaler: dbz}", "needs scaling.autoscaler: native"),
        ("target_tracking: [CPU >= 60%]", "p.yaml:3: target_tracking.0: expected 'at' and where it is to be kept"),
        ("target_tracking: [60]", 'is not a sentence; write for example "CPU at 60%"'),
    ],
)
def test_what_does_not_go_together_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_of(text + "\n")
    assert message in str(caught.value)


def tracked(trace: Trace, *targets: str, tasks: int = 5, bounds: tuple[int, int] = (1, 20)) -> Simulation:
    tracker = TargetTracker([parse_target(one) for one in targets], bounds)
    return simulate("target", tracker, trace, tasks, per_task=250)


def constant(demand: float, seconds: int, sockets: float = 0) -> Trace:
    return Trace("constant", [demand] * seconds, [sockets] * seconds, per_task_per_s=100.0)


def test_out_after_three_minutes_in_proportion() -> None:
    found = tracked(constant(4.0, 1200), "CPU at 50%")
    assert [(one.at_s, one.before, one.after) for one in found.changes] == [(180, 5, 8)]
    assert found.changes[0].reason == "above CPU at 50%"


def test_in_after_fifteen_minutes_and_only_when_all_agree() -> None:
    assert [(one.at_s, one.after) for one in tracked(constant(1.0, 1800), "CPU at 50%").changes] == [(900, 2)]
    held = tracked(constant(1.0, 1800, sockets=900), "CPU at 50%", "connections at 75% capacity")
    assert held.changes == []


@pytest.mark.parametrize(
    ("target", "after"), [("requests at 5000/min per task", 5), ("connections at 50% capacity", 8)]
)
def test_requests_and_connections_are_kept_by_task(target: str, after: int) -> None:
    assert tracked(constant(4.0, 600, sockets=1000), target, tasks=3).desired[-1] == after


def test_conditions_beside_it_only_help_to_scale_out() -> None:
    text = "target_tracking: [CPU at 50%]\nscale_out_when_any: [CPU > 90% for 1 minute]\nscaling: {step: 2}\n"
    found = simulate("both", controller_of(plan_of(text), 1, 20), constant(4.75, 3000), 5, per_task=250)
    assert (found.changes[0].at_s, found.changes[0].after, found.changes[0].reason) == (60, 7, "CPU > 90% for 1 minute")
    assert found.desired[-1] == 10


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.one_of(st.none(), st.floats(0, 30)), st.integers(30, 900)), min_size=1, max_size=6))
def test_bounds_hold_and_missing_data_never_scale_in(pieces: list[tuple[float | None, int]]) -> None:
    demand = [value for value, seconds in pieces for _ in range(seconds)]
    found = tracked(Trace("any", demand, [None] * len(demand)), "CPU at 60%", tasks=3, bounds=(2, 6))
    assert all(2 <= value <= 6 for value in found.desired)
    for change in found.changes:
        if change.after < change.before:
            minutes = (demand[at - 60 : at] for at in range(change.at_s, change.at_s - 900, -60))
            assert all(any(value is not None for value in minute) for minute in minutes)


FINE = "CPU at 60% every 20 seconds"


def test_metrics_of_20_seconds_are_a_metric_of_their_own_and_need_a_service_that_has_them() -> None:
    plan = plan_of(f"target_tracking: [{FINE}, Memory at 75% every 20 s, requests at 10/s per task]\n"
                   f"scaling: {{{BALANCER}}}\n")  # fmt: skip
    assert [str(one) for one in plan.target_tracking][:2] == [FINE, "Memory at 75% every 20 seconds"]
    found = [one["TargetTrackingScalingPolicyConfiguration"] for one in tracking_policies(
        plan.target_tracking, plan.scaling).values()]  # fmt: skip
    assert [one["PredefinedMetricSpecification"]["PredefinedMetricType"] for one in found] == [
        "ECSServiceAverageCPUUtilizationHighResolution", "ECSServiceAverageMemoryUtilizationHighResolution",
        "ALBRequestCountPerTarget",
    ]  # fmt: skip
    servers = ApiServers(min=1, max=3)
    for there in (None, ("CPUUtilization",)):
        made = plan_native(replace(live(2), fine_metrics=there), plan, servers)
        (step,) = [one for one in made.steps if one.kind is Kind.RESOLUTION]
        assert made.steps.index(step) < min(made.steps.index(one) for one in made.steps if one.kind is Kind.POLICY)
        assert step.after == ["CPUUtilization", "MemoryUtilization"] and step.before == (list(there) if there else None)
        assert "deployment" in made.notes[0]
    both = replace(live(2), fine_metrics=("CPUUtilization", "MemoryUtilization"))
    assert all(one.kind is not Kind.RESOLUTION for one in plan_native(both, plan, servers).steps)


def test_conditions_every_20_seconds_need_such_metrics_too() -> None:
    plan = plan_of("scale_out_when_any: [CPU > 70% for 1 minute]\nscaling: {period: 20s}\n")
    assert fine_metrics(plan) == ["CPUUtilization"]
    steps = plan_native(live(2), plan, ApiServers(min=1, max=3)).steps
    (alarm,) = [step.after for step in steps if step.kind is Kind.ALARM]
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (20, 3)
    assert fine_metrics(plan_of("scale_out_when_any: [CPU > 70% for 1 minute]\n")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CPU at 60% every 30 seconds", "'20 seconds': ECS writes no metric at another rate"),
        ("CPU at 60% every 20 minutes", "expected 'seconds'"),
        ("connections at 60% capacity every 20 seconds", "only CPU and memory are written so often"),
        ("CPU at 60% each 20 seconds", "'every 20 seconds', or nothing more"),
    ],
)
def test_other_rates_and_other_metrics_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_target(text)


def test_three_times_as_often_is_three_times_as_soon() -> None:
    """Out after 3 datapoints of either kind; in after 15 minutes of either kind."""
    fine = tracked(constant(4.0, 1200), "CPU at 50% every 20 seconds")
    assert [(one.at_s, one.before, one.after) for one in fine.changes] == [(60, 5, 8)]
    assert [(one.at_s, one.after) for one in tracked(constant(1.0, 1800), "CPU at 50% every 20 seconds").changes] == [
        (900, 2)
    ]  # fmt: skip


def test_targets_of_both_kinds_side_by_side() -> None:
    """The one that is looked at once a minute acts as it would alone."""
    alone = tracked(constant(4.0, 1200), "requests at 3000/min per task")
    beside = tracked(constant(4.0, 1200), "requests at 3000/min per task", "memory at 90% every 20 seconds")
    assert [(one.at_s, one.after) for one in beside.changes] == [(one.at_s, one.after) for one in alone.changes]
