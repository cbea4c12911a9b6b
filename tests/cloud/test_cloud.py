"""The local cloud does what ECS, Application Auto Scaling and CloudWatch do, where moto does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from dbz.cloud.cloudwatch.expressions import evaluate
from tests.children.processes import eventually
from tests.cloud.clouds import RunningCloud


def target(name: str) -> dict[str, str]:
    return {
        "ServiceNamespace": "ecs", "ResourceId": f"service/dbz/{name}", "ScalableDimension": "ecs:service:DesiredCount",
    }  # fmt: skip


def dimensions(name: str) -> list[dict[str, str]]:
    return [{"Name": "ClusterName", "Value": "dbz"}, {"Name": "ServiceName", "Value": name}]


def step_policy(cloud: RunningCloud, name: str, change: int, cooldown: int = 1) -> str:
    answer = cloud.client("application-autoscaling").put_scaling_policy(
        PolicyName=f"by{change}", PolicyType="StepScaling", **target(name),
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity", "Cooldown": cooldown,
            "StepAdjustments": [
                {"MetricIntervalLowerBound": 0, "ScalingAdjustment": change},
                {"MetricIntervalUpperBound": 0, "ScalingAdjustment": change},
            ],
        },
    )  # fmt: skip
    return str(answer["PolicyARN"])


def alarm(cloud: RunningCloud, name: str, **settings: Any) -> None:
    cloud.client("cloudwatch").put_metric_alarm(
        **{"AlarmName": f"a-{name}", "EvaluationPeriods": 2, "Threshold": 70.0,
           "ComparisonOperator": "GreaterThanThreshold", **settings}
    )  # fmt: skip


def alarm_state(cloud: RunningCloud, name: str) -> str:
    (found,) = cloud.client("cloudwatch").describe_alarms(AlarmNames=[f"a-{name}"])["MetricAlarms"]
    return str(found["StateValue"])


def until(holds: Callable[[], bool]) -> None:
    assert eventually(holds)


CPU = {"Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average", "Period": 1}


def test_tasks_take_time_and_the_counts_events_and_lists_follow(cloud: RunningCloud) -> None:
    name = cloud.new_service(2)
    cloud.client("ecs").update_service(cluster="dbz", service=name, desiredCount=4)
    found = cloud.service(name)
    assert (found["desiredCount"], found["runningCount"]) == (4, 2)
    cloud.until(name, lambda one: one["pendingCount"] == 2)
    found = cloud.until(name, lambda one: one["runningCount"] == 4)
    assert found["deployments"][0]["rolloutState"] == "COMPLETED"
    found = cloud.until(name, lambda one: one["events"][0]["message"].endswith("reached a steady state."))
    assert [event["message"] for event in found["events"]].count(f"(service {name}) has started 2 tasks.") == 2
    ecs = cloud.client("ecs")
    arns = ecs.list_tasks(cluster="dbz", serviceName=name)["taskArns"]
    assert {task["lastStatus"] for task in ecs.describe_tasks(cluster="dbz", tasks=arns)["tasks"]} == {"RUNNING"}
    ecs.update_service(cluster="dbz", service=name, desiredCount=1)
    cloud.until(name, lambda one: one["runningCount"] == 1)
    assert len(ecs.list_tasks(cluster="dbz", serviceName=name)["taskArns"]) == 1


def test_a_new_deployment_starts_new_tasks_before_the_old_ones_go(cloud: RunningCloud) -> None:
    name = cloud.new_service(2)
    cloud.client("ecs").update_service(cluster="dbz", service=name, forceNewDeployment=True)
    found = cloud.until(name, lambda one: len(one["deployments"]) == 2)
    assert [one["status"] for one in found["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert found["runningCount"] >= 2
    found = cloud.until(name, lambda one: len(one["deployments"]) == 1)
    assert found["deployments"][0]["rolloutState"] == "COMPLETED"


def test_failing_tasks_are_counted_with_their_reason_until_the_breaker_trips(cloud: RunningCloud) -> None:
    name = cloud.new_service(1)
    cloud.control(failure="Essential container in task exited", healthy=False)
    cloud.client("ecs").update_service(cluster="dbz", service=name, desiredCount=2)
    found = cloud.until(name, lambda one: one["deployments"][0]["rolloutState"] == "FAILED")
    assert found["deployments"][0]["failedTasks"] >= 3
    ecs = cloud.client("ecs")
    stopped = ecs.list_tasks(cluster="dbz", serviceName=name, desiredStatus="STOPPED")["taskArns"]
    reasons = {task["stoppedReason"] for task in ecs.describe_tasks(cluster="dbz", tasks=stopped)["tasks"]}
    assert reasons == {"Essential container in task exited"}


def test_registering_a_target_moves_the_count_into_its_range(cloud: RunningCloud) -> None:
    name = cloud.new_service(2)
    scaling = cloud.client("application-autoscaling")
    scaling.register_scalable_target(**target(name), MinCapacity=3, MaxCapacity=5)
    assert cloud.service(name)["desiredCount"] == 3
    with pytest.raises(ClientError, match="cannot be less than minimum"):
        scaling.register_scalable_target(**target(name), MinCapacity=9)


@pytest.mark.parametrize("count", [-1, 10_000_000])
def test_absurd_counts_are_refused(cloud: RunningCloud, count: int) -> None:
    with pytest.raises(ClientError, match="Invalid desired count"):
        cloud.client("ecs").update_service(cluster="dbz", service="api", desiredCount=count)


def test_eleven_services_in_a_call_are_refused(cloud: RunningCloud) -> None:
    with pytest.raises(ClientError, match="cannot exceed 10"):
        cloud.client("ecs").describe_services(cluster="dbz", services=["api"] * 11)


def test_an_alarm_goes_through_its_states_and_sets_its_policy_off(cloud: RunningCloud) -> None:
    cloud.control(demand=None)  # no figures of the service before its alarm is there
    name = cloud.new_service(2)
    cloud.client("application-autoscaling").register_scalable_target(**target(name), MinCapacity=1, MaxCapacity=3)
    policy = step_policy(cloud, name, 1)
    alarm(cloud, name, **CPU, Dimensions=dimensions(name), AlarmActions=[policy])
    assert alarm_state(cloud, name) == "INSUFFICIENT_DATA"
    cloud.control(demand=0.2)
    until(lambda: alarm_state(cloud, name) == "OK")
    cloud.control(demand=1000.0)
    until(lambda: alarm_state(cloud, name) == "ALARM")
    cloud.until(name, lambda one: one["desiredCount"] == 3)
    cloud.control(demand=None)
    until(lambda: alarm_state(cloud, name) == "INSUFFICIENT_DATA")
    assert cloud.service(name)["desiredCount"] == 3, "the range holds however long the alarm lasts"
    cloud.client("cloudwatch").delete_alarms(AlarmNames=[f"a-{name}"])


def test_an_expression_over_several_metrics_scales_in(cloud: RunningCloud) -> None:
    name = cloud.new_service(3)
    cloud.client("application-autoscaling").register_scalable_target(**target(name), MinCapacity=2, MaxCapacity=5)
    stat = [
        {"Id": f"m{at}", "ReturnData": False, "MetricStat": {
            "Metric": {"Namespace": "AWS/ECS", "MetricName": metric, "Dimensions": dimensions(name)},
            "Period": 1, "Stat": "Average",
        }}
        for at, metric in enumerate(("CPUUtilization", "MemoryUtilization"))
    ]  # fmt: skip
    both = {"Id": "all", "Expression": "IF(m0 < 30 AND m1 < 50, 1, 0)", "ReturnData": True}
    alarm(
        cloud, name, Metrics=[*stat, both], Threshold=1.0, ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[step_policy(cloud, name, -1)],
    )  # fmt: skip
    cloud.until(name, lambda one: one["desiredCount"] == 2)
    cloud.client("cloudwatch").delete_alarms(AlarmNames=[f"a-{name}"])


def test_target_tracking_goes_to_the_target(cloud: RunningCloud) -> None:
    name = cloud.new_service(2)
    scaling = cloud.client("application-autoscaling")
    scaling.register_scalable_target(**target(name), MinCapacity=1, MaxCapacity=10)
    scaling.put_scaling_policy(
        PolicyName="track", PolicyType="TargetTrackingScaling", **target(name),
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 50.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    )  # fmt: skip
    found = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=f"service/dbz/{name}")
    names = [one["AlarmName"] for one in found["ScalingPolicies"][0]["Alarms"]]
    alarms = cloud.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert sorted(one["Threshold"] for one in alarms) == [45.0, 50.0]
    scaling.deregister_scalable_target(**target(name))
    assert not cloud.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]


@pytest.mark.parametrize("metric", ["requests", "connections"])
def test_target_tracking_follows_requests_and_the_apps_own_metrics(cloud: RunningCloud, metric: str) -> None:
    """300 requests/s, or as many sockets, for 2 tasks of which each should get 60: 5 tasks."""
    name = cloud.new_service(2, balanced=metric == "requests")
    scaling = cloud.client("application-autoscaling")
    scaling.register_scalable_target(**target(name), MinCapacity=1, MaxCapacity=10)
    if metric == "requests":
        (attached,) = cloud.service(name)["loadBalancers"]
        balancer = cloud.client("elbv2").describe_load_balancers(Names=["dbz"])["LoadBalancers"][0]["LoadBalancerArn"]
        label = f"{balancer.split(':loadbalancer/')[1]}/{attached['targetGroupArn'].split(':')[-1]}"
        spec = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
        configuration = {"TargetValue": 3600.0, "PredefinedMetricSpecification": spec}
    else:
        own = {"Namespace": "dbz", "MetricName": "ActiveConnections", "Statistic": "Average"}
        configuration = {
            "TargetValue": 60.0, "CustomizedMetricSpecification": {**own, "Dimensions": dimensions(name)}
        }  # fmt: skip
    configuration |= {"ScaleOutCooldown": 60}
    for _ in range(2):  # what is put again keeps its ARN, and has two alarms still
        answer = scaling.put_scaling_policy(
            PolicyName="track", PolicyType="TargetTrackingScaling", **target(name),
            TargetTrackingScalingPolicyConfiguration=configuration,
        )  # fmt: skip
    (known,) = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=f"service/dbz/{name}")[
        "ScalingPolicies"
    ]
    assert known["PolicyARN"] == answer["PolicyARN"] and len(known["Alarms"]) == 2
    names = [one["AlarmName"] for one in known["Alarms"]]
    assert len(cloud.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]) == 2
    running = sum(one["runningCount"] for one in services(cloud))
    cloud.control(requests=300.0, connections=150.0 * running)
    reached = cloud.until(name, lambda one: one["desiredCount"] > 2)["desiredCount"]
    assert reached == 5 or metric == "requests", "seconds are not as even as minutes"
    scaling.deregister_scalable_target(**target(name))
    cloud.client("ecs").delete_service(cluster="dbz", service=name, force=True)


def services(cloud: RunningCloud) -> list[Any]:
    """All services that share the load on paper."""
    ecs = cloud.client("ecs")
    arns = [arn for page in ecs.get_paginator("list_services").paginate(cluster="dbz") for arn in page["serviceArns"]]
    parts = [arns[at : at + 10] for at in range(0, len(arns), 10)]
    return [one for part in parts for one in ecs.describe_services(cluster="dbz", services=part)["services"]]


def test_a_scheduled_action_changes_the_range(cloud: RunningCloud) -> None:
    name = cloud.new_service(1)
    scaling = cloud.client("application-autoscaling")
    scaling.register_scalable_target(**target(name), MinCapacity=1, MaxCapacity=3)
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 1))
    scaling.put_scheduled_action(
        ScheduledActionName="up", Schedule=f"at({at})", **target(name),
        ScalableTargetAction={"MinCapacity": 2, "MaxCapacity": 4},
    )  # fmt: skip
    cloud.until(name, lambda one: one["desiredCount"] == 2)


def test_the_caches_replicas_can_be_changed(cloud: RunningCloud) -> None:
    cache = cloud.client("elasticache")
    for verb, replicas in (("increase", 3), ("decrease", 1)):
        change = getattr(cache, f"{verb}_replica_count")
        group = change(ReplicationGroupId="dbz-cache", NewReplicaCount=replicas, ApplyImmediately=True)
        assert len(group["ReplicationGroup"]["MemberClusters"]) == replicas + 1


@pytest.mark.parametrize("kind", ["throttle", "fail"])
def test_a_fault_strikes_as_often_as_asked(cloud: RunningCloud, kind: str) -> None:
    cloud.fault("ListClusters", kind, times=2)
    assert cloud.client("ecs").list_clusters()["ResponseMetadata"]["RetryAttempts"] == 2


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 1000))
def test_expressions_are_those_of_python(first: float, second: float, third: float) -> None:
    values = {"m1": first, "m2": second, "m3": third}
    wanted = first < 30 and second < 50 and third / 10 <= 7.5
    assert evaluate("IF(m1 < 30 AND m2 < 50 AND m3 / 10 <= 7.5, 1, 0)", values) == float(wanted)


def test_a_division_by_zero_is_missing_and_anything_else_is_refused() -> None:
    assert evaluate("a / b", {"a": 1.0, "b": 0.0}) is None
    for text in ("__import__('os')", "a.b", "a b", "m9 > 1", "[1]"):
        with pytest.raises(ValueError, match="not known here"):
            evaluate(text, {"a": 1.0, "b": 0.0})
