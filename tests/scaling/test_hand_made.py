"""Services that were set up by other hands, in the local cloud: what a plan finds there, and what a way back leaves."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbz.config.grammar.conditions import parse_condition
from dbz.config.grammar.target_tracking import parse_target
from dbz.config.phases.file import load_phases
from dbz.config.phases.plan import ApiServers
from dbz.errors import UsageError
from dbz.scaling.aws import Aws
from dbz.scaling.change.applying import Manner, apply_plan, look_back, take_back
from dbz.scaling.change.health import read_health
from dbz.scaling.change.journal import JournalEntry, entries, read_entry
from dbz.scaling.change.live import read_live, read_service, read_target, with_target_groups
from dbz.scaling.change.order import way_back
from dbz.scaling.change.planner import Wanted, plan_native, plan_phase, plan_tasks
from dbz.scaling.change.steps import ChangePlan
from dbz.scaling.handle import ServiceHandle
from dbz.scaling.native import with_balancer
from tests.children.processes import DEADLINE_S
from tests.cloud.clouds import KEYS, REGION, RunningCloud

PLAN = load_phases()
QUIET = Manner(60.0, lambda _: None)
TRACKING = {
    "PolicyName": "team-cpu",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": 50.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    },
}
STEPS = {
    "AdjustmentType": "PercentChangeInCapacity",
    "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 30}],
    "MinAdjustmentMagnitude": 2,
}
NIGHT = {
    "ScheduledActionName": "night",
    "Schedule": "cron(0 20 * * ? *)",
    "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 0},
}


@pytest.fixture(autouse=True)
def own_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path))


@pytest.fixture
def aws(cloud: RunningCloud) -> Aws:
    return Aws(region=REGION, endpoint=cloud.url, credentials=KEYS)


@pytest.fixture
def handle(cloud: RunningCloud, aws: Aws) -> ServiceHandle:
    return ServiceHandle(aws, "dbz", cloud.new_service(2))


@pytest.fixture
def scaling(cloud: RunningCloud) -> Any:
    return cloud.client("application-autoscaling")


def set_range(handle: ServiceHandle, low: int, high: int) -> JournalEntry:
    """The journal of a change that gave the service this range."""
    return applied(handle, plan_tasks(read_live(handle), Wanted("a range", ApiServers(min=low, max=high))))


def applied(handle: ServiceHandle, plan: ChangePlan) -> JournalEntry:
    """The journal of a plan that was carried out."""
    apply_plan(handle.aws, plan, QUIET)
    return entries()[-1]


def seen_back(handle: ServiceHandle, entry: JournalEntry, *, force: bool = False) -> tuple[list[str], list[str]]:
    """What a way back says beforehand: kinds of what it would take, and what speaks against the rest."""
    steps = [entry.steps[number] for number in way_back(entry.steps, entry.begun)]
    seen = look_back(handle.aws, entry.plan, steps, force=force)
    return [step.kind.value for step in seen.back], [one.why_not for one in seen.left]


def test_alarms_set_off_the_policies_that_a_way_back_has_made_again(cloud: RunningCloud, handle: ServiceHandle) -> None:
    """A policy that is made again has another ARN; an alarm with the old one would set off nothing, silently."""
    phase, fixed = PLAN.phase("phase_3"), PLAN.phase("phase_2")
    assert phase.api_servers is not None and fixed.api_servers is not None
    apply_plan(handle.aws, plan_phase(read_live(handle), PLAN, phase, Wanted("3", phase.api_servers)), QUIET)
    before = read_live(handle)
    entry = applied(handle, plan_phase(before, PLAN, fixed, Wanted("2", fixed.api_servers, allow_scale_in=True)))
    assert not read_live(handle).policies
    take_back(handle.aws, entry, QUIET)
    live = read_live(handle)
    assert live.fingerprint() == before.fingerprint() and not live.idle
    found = cloud.client("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="ecs", ResourceId=handle.resource_id
    )
    arns = {one["PolicyARN"] for one in found["ScalingPolicies"]}
    alarms = cloud.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"dbz/dbz/{handle.name}/")["MetricAlarms"]
    assert len(alarms) == 4 and {action for one in alarms for action in one["AlarmActions"]} == arns


def test_an_alarm_of_a_policy_that_was_replaced_is_mended_by_the_next_plan(
    cloud: RunningCloud, handle: ServiceHandle, scaling: Any
) -> None:
    phase = PLAN.phase("phase_3")
    assert phase.api_servers is not None
    apply_plan(handle.aws, plan_phase(read_live(handle), PLAN, phase, Wanted("3", phase.api_servers)), QUIET)
    policy = read_live(handle).policies["dbz-out"]
    scaling.delete_scaling_policy(**handle.scalable, PolicyName="dbz-out")
    scaling.put_scaling_policy(**handle.scalable, **policy)
    live = read_live(handle)
    assert live.idle["dbz-out"] == "no alarm sets this policy off"
    again = plan_phase(live, PLAN, phase, Wanted("3", phase.api_servers))
    assert len(again.steps) == 3 and all("/out " in step.resource for step in again.steps)
    apply_plan(handle.aws, again, QUIET)
    assert not read_live(handle).idle


def test_a_hand_made_alarm_on_a_hand_made_step_policy_is_found(
    cloud: RunningCloud, handle: ServiceHandle, scaling: Any
) -> None:
    scaling.register_scalable_target(**handle.scalable, MinCapacity=2, MaxCapacity=4)
    made = scaling.put_scaling_policy(
        **handle.scalable, PolicyName="p95 out", PolicyType="StepScaling", StepScalingPolicyConfiguration=STEPS
    )
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=f"p95 hoch (ä) {handle.name}", Namespace="AWS/ApplicationELB", MetricName="TargetResponseTime",
        ExtendedStatistic="p95", Period=60, EvaluationPeriods=3, Threshold=0.8,
        ComparisonOperator="GreaterThanThreshold", AlarmActions=["arn:aws:sns:r:1:pager", made["PolicyARN"]],
    )  # fmt: skip
    live = read_live(handle)
    assert [one.policies for one in live.alarms.values()] == [{"p95 out"}] and not live.idle
    plan = plan_tasks(live, Wanted("3 to 6", ApiServers(min=3, max=6)))
    assert any("p95 out of somebody else" in note and "set off by p95 hoch (ä)" in note for note in plan.notes)


def test_a_range_stays_that_others_have_put_policies_on(handle: ServiceHandle, scaling: Any) -> None:
    """AWS deletes them with the range. The count stays too where it would lie outside of the range that stays."""
    entry = set_range(handle, 3, 6)
    scaling.put_scaling_policy(**handle.scalable, **TRACKING)
    scaling.put_scheduled_action(**handle.scalable, **NIGHT)
    back, why_not = seen_back(handle, entry)
    assert back == [] and why_not == [
        "and AWS would delete night, team-cpu with it",
        "and 2 is outside of the range 3 to 6, which stays",
    ]
    undone = take_back(handle.aws, entry, QUIET)
    assert undone.back == () and len(undone.left) == 2
    live = read_live(handle)
    assert not live.idle, "also alarms that AWS makes itself set their policy off"
    assert set(live.policies) == {"team-cpu"} and set(live.schedules) == {"night"} and live.service.desired == 3
    assert seen_back(handle, entry, force=True)[0] == ["desired count"]
    take_back(handle.aws, read_entry(entry.path), QUIET, force=True)
    assert read_target(handle) is None and read_live(handle).service.desired == 2


def test_what_the_plan_has_put_on_its_range_goes_with_it(handle: ServiceHandle) -> None:
    phase = PLAN.phase("phase_3")
    assert phase.api_servers is not None
    before = read_live(handle)
    entry = applied(handle, plan_phase(before, PLAN, phase, Wanted("3", phase.api_servers)))
    assert seen_back(handle, entry)[1] == []
    assert take_back(handle.aws, entry, QUIET).left == ()
    assert read_live(handle).fingerprint() == before.fingerprint()


def test_a_count_that_somebody_set_outside_the_range_comes_back(cloud: RunningCloud, handle: ServiceHandle) -> None:
    """AWS takes any count from a person, and moves it into the range only when it scales."""
    cloud.client("application-autoscaling").register_scalable_target(**handle.scalable, MinCapacity=2, MaxCapacity=4)
    cloud.client("ecs").update_service(cluster="dbz", service=handle.name, desiredCount=1)
    cloud.until(handle.name, lambda one: one["runningCount"] == 1)
    before = read_live(handle)
    entry = set_range(handle, 3, 6)
    assert take_back(handle.aws, entry, QUIET).left == ()
    after = read_live(handle)
    assert after.fingerprint() == before.fingerprint() and after.service.desired == 1


def behind(cloud: RunningCloud, *groups: str, alternate: str = "", **more: Any) -> str:
    """The name of a new service of two tasks behind these target groups, the first of which may have an `alternate`."""
    name = f"svc-{secrets.token_hex(4)}"
    balancers: list[Any] = [{"targetGroupArn": arn, "containerName": "api", "containerPort": 80} for arn in groups]
    if alternate:
        balancers[0]["advancedConfiguration"] = {"alternateTargetGroupArn": alternate}
    cloud.client("ecs").create_service(
        cluster="dbz", serviceName=name, desiredCount=2, taskDefinition="api", loadBalancers=balancers, **more
    )
    cloud.until(name, lambda one: one["runningCount"] == 2)
    return name


def test_the_tasks_of_a_blue_green_service_are_looked_for_where_they_are(cloud: RunningCloud, aws: Aws) -> None:
    """Each deployment moves them to the other of its two target groups; the first one is empty then."""
    blue, green = (cloud.new_target_group(f"bg-{secrets.token_hex(4)}") for _ in range(2))
    handle = ServiceHandle(aws, "dbz", behind(cloud, blue, alternate=green))
    plan = PLAN.model_copy(update={"scale_out_when_any": [parse_condition("Response time > 500 ms for 3 minutes")]})
    for expected, other in ((blue, green), (green, blue)):
        live = with_target_groups(aws, read_live(handle))
        assert [one.arn for one in live.target_groups] == [expected]
        note = f"leaves the target group {live.target_groups[0].name}: alarms on it know nothing then"
        made = plan_native(live, with_balancer(plan, live), ApiServers(min=2, max=4))
        assert any(note in one for one in made.notes)
        applied(handle, plan_tasks(live, Wanted("more", ApiServers(min=3, max=3))))
        (health,) = read_health(aws, read_live(handle).service)
        assert (health.arn, health.healthy) == (expected, 3)
        applied(handle, plan_tasks(read_live(handle), Wanted("fewer", ApiServers(min=2, max=2), allow_scale_in=True)))
        cloud.client("ecs").update_service(cluster="dbz", service=handle.name, forceNewDeployment=True)
        end = time.monotonic() + DEADLINE_S
        while (read_health(aws, read_live(handle).service)[0].arn, read_live(handle).service.steady) != (other, True):
            assert time.monotonic() < end


def test_a_target_group_that_no_load_balancer_uses_is_not_waited_for(cloud: RunningCloud, aws: Aws) -> None:
    """Nobody checks its targets, so that none will ever be healthy: it is said, and the other group counts."""
    alone, used = cloud.new_target_group(f"ex-{secrets.token_hex(4)}", listened=False), cloud.new_target_group("used")
    handle, said = ServiceHandle(aws, "dbz", behind(cloud, alone, used)), list[str]()
    plan = plan_tasks(read_live(handle), Wanted("3 tasks", ApiServers(min=3, max=3)))
    apply_plan(aws, plan, Manner(60.0, said.append))
    assert len([line for line in said if "no load balancer uses it, so its targets are not checked" in line]) == 1
    assert [(one.used, one.healthy) for one in read_health(aws, read_live(handle).service)] == [(False, 0), (True, 3)]


def test_target_groups_of_an_external_deployment_are_those_of_its_primary_task_set(
    cloud: RunningCloud, aws: Aws
) -> None:
    group = cloud.new_target_group(f"ts-{secrets.token_hex(4)}")
    handle = ServiceHandle(aws, "dbz", behind(cloud, deploymentController={"type": "EXTERNAL"}))
    balancers: list[Any] = [{"targetGroupArn": group, "containerName": "api", "containerPort": 80}]
    ecs, where = cloud.client("ecs"), {"cluster": "dbz", "service": handle.name}
    made = ecs.create_task_set(**where, taskDefinition="api", loadBalancers=balancers)["taskSet"]
    ecs.update_service_primary_task_set(**where, primaryTaskSet=made["taskSetArn"])
    assert read_service(handle).target_groups == (group,)


def test_sentences_on_requests_need_an_application_load_balancer(cloud: RunningCloud, aws: Aws) -> None:
    """A Network Load Balancer has no such metrics: an alarm on them would never go off. Of two the other is taken."""
    elbv2 = cloud.client("elbv2")
    (known,) = elbv2.describe_load_balancers(Names=["dbz"])["LoadBalancers"]
    subnets = [one["SubnetId"] for one in known["AvailabilityZones"]]
    (network,) = elbv2.create_load_balancer(Name=f"n-{secrets.token_hex(4)}", Type="network", Subnets=subnets)[
        "LoadBalancers"
    ]
    tcp, http = cloud.new_target_group(f"n-{secrets.token_hex(4)}", listened=False), cloud.new_target_group("http-2")
    elbv2.create_listener(
        LoadBalancerArn=network["LoadBalancerArn"], Protocol="TCP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": tcp}],
    )  # fmt: skip
    slow = PLAN.model_copy(update={"scale_out_when_any": [parse_condition("Response time > 500 ms for 3 minutes")]})
    tracked = PLAN.model_copy(update={"target_tracking": [parse_target("requests at 600/min per task")]})
    only = with_target_groups(aws, read_live(ServiceHandle(aws, "dbz", behind(cloud, tcp))))
    for plan in (slow, tracked.model_copy(update={"scale_in_when_all": []})):
        with pytest.raises(UsageError, match="needs an Application Load Balancer: CloudWatch has none of net/"):
            plan_native(only, with_balancer(plan, only), ApiServers(min=2, max=4))
    both = with_target_groups(aws, read_live(ServiceHandle(aws, "dbz", behind(cloud, tcp, http))))
    made = plan_native(both, with_balancer(slow, both), ApiServers(min=2, max=4))
    names = {one.arn: one.name for one in both.target_groups}
    assert f"response times, requests and errors are those of {names[http]} alone, not of {names[tcp]}" in made.notes


def test_a_rollout_that_goes_on_or_has_failed_is_said(handle: ServiceHandle) -> None:
    live, wanted = read_live(handle), Wanted("3 tasks", ApiServers(min=3, max=3))
    assert plan_tasks(live, wanted).notes == ()
    for rollout, said in (("IN_PROGRESS", "is going on: it is waited for"), ("FAILED", "has failed (no image)")):
        deployments = tuple(replace(one, rollout=rollout, reason="no image") for one in live.service.deployments)
        (note,) = plan_tasks(replace(live, service=replace(live.service, deployments=deployments)), wanted).notes
        assert said in note
