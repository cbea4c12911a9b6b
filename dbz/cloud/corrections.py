"""Where moto answers otherwise than AWS, and the difference matters for scaling: replaced here, once, at start.

Every replacement calls what it replaces. moto sets the running count to the desired one at once, takes any desired
count, also of a DAEMON, and any number of services a call, lists no tasks of services, moves nothing when a scalable
target is registered, takes alarms of any period and begins them as OK, tracks one metric as often as it is asked to, of
CPU and memory only, names every load balancer as an application's, and knows no ElastiCache replica changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, FakeApplicationAutoscalingPolicy
from moto.cloudwatch.exceptions import InvalidParameterValue
from moto.cloudwatch.models import CloudWatchBackend
from moto.core.responses import ActionResult
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elasticache.responses import ElastiCacheResponse
from moto.elbv2.models import ELBv2Backend

from dbz.cloud.autoscaling.tracking import create_alarms

HIGH_RESOLUTION_S = (10, 20, 30)
SHORTEST_S = 10
DAY_S = 86_400
FINE_S = 20
MOST_SERVICES = 10
MOST_TASKS = 5000
ECS_DIMENSION = "ecs:service:DesiredCount"


def install(period_s: float) -> None:
    """Replace what is wrong; to be called once in a process. Metrics are written every `period_s`."""
    _wrap(EC2ContainerServiceBackend, "update_service", _update_service)
    _wrap(EC2ContainerServiceBackend, "describe_services", _describe_services)
    _wrap(EC2ContainerServiceBackend, "list_tasks", _list_tasks)
    _wrap(ApplicationAutoscalingBackend, "register_scalable_target", _register_scalable_target)
    _wrap(ApplicationAutoscalingBackend, "deregister_scalable_target", _deregister_scalable_target)
    _wrap(ApplicationAutoscalingBackend, "put_scaling_policy", _put_scaling_policy)
    _wrap(FakeApplicationAutoscalingPolicy, "create_alarms", create_alarms(period_s))
    _wrap(CloudWatchBackend, "put_metric_alarm", _put_metric_alarm(period_s))
    _wrap(ELBv2Backend, "create_load_balancer", _create_load_balancer)
    EC2ContainerServiceResponse.describe_service_revisions = _describe_service_revisions  # type: ignore[attr-defined]
    for name, change in (("increase_replica_count", 1), ("decrease_replica_count", -1)):
        setattr(ElastiCacheResponse, name, _replica_count(change))


def _wrap(owner: type, name: str, replacement: Callable[..., Any]) -> None:
    original = getattr(owner, name)

    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        return replacement(original, self, *args, **kwargs)

    setattr(owner, name, wrapped)


def _update_service(original: Any, backend: Any, properties: dict[str, Any]) -> Any:
    desired = properties.get("desired_count")
    if desired is not None and not 0 <= desired <= MOST_TASKS:
        raise InvalidParameterException("Invalid desired count")
    forced = properties.pop("force_new_deployment", False)
    monitoring = properties.pop("monitoring", None)
    cluster = properties.get("cluster", "default")
    service = backend._get_service(cluster, properties["service"].split("/")[-1])
    if desired is not None and service.scheduling_strategy == "DAEMON":
        raise InvalidParameterException("The daemon scheduling strategy does not support a desired count.")
    before = service.running_count, service.pending_count, service.task_definition
    updated = original(backend, properties)
    definition = updated.task_definition
    if definition != before[2]:
        definition = backend.describe_task_definition(definition).arn
    updated.running_count, updated.pending_count, updated.task_definition = before[0], before[1], definition
    if monitoring is not None:
        service.monitoring, forced = monitoring, True
    # Whether a rollout is wanted is the reconciler's to see.
    updated.wanted_revision = getattr(updated, "wanted_revision", 0) + (forced or definition != before[2])
    return updated


def _describe_services(original: Any, backend: Any, cluster: str, services: list[str]) -> Any:
    if len(services) > MOST_SERVICES:
        raise InvalidParameterException(f"Services cannot exceed {MOST_SERVICES} elements")
    found, failures = original(backend, cluster, services)
    for service in found:
        arn = service.arn.replace(":service/", ":service-revision/")
        service.current_service_revisions = [{"arn": f"{arn}/{getattr(service, 'wanted_revision', 0) + 1}"}]
    return found, failures


def fine_metrics(service: Any) -> set[str]:
    """The metrics of a service that are written every 20 s."""
    settings = (getattr(service, "monitoring", None) or {}).get("metricConfigurations", [])
    return {name for one in settings if one.get("resolutionSeconds") == FINE_S for name in one.get("metricNames", [])}


def _describe_service_revisions(response: Any) -> Any:
    revisions = []
    for arn in response._get_param("serviceRevisionArns"):
        cluster, name, _ = arn.split(":service-revision/")[1].split("/")
        service = response.ecs_backend._get_service(cluster, name)
        revision = {"serviceRevisionArn": arn, "serviceArn": service.arn}
        revisions.append(revision | {"monitoring": getattr(service, "monitoring", None) or {}})
    return ActionResult({"serviceRevisions": revisions, "failures": []})


def _list_tasks(original: Any, backend: Any, cluster: Any = None, instance: Any = None, family: Any = None,
                started_by: Any = None, service_name: Any = None, desired_status: Any = None) -> Any:  # fmt: skip
    found = original(backend, cluster, instance, family, started_by, None, desired_status or "RUNNING")
    name = (service_name or "").split("/")[-1]
    return [task for task in found if not name or task.group == f"service:{name}"]


def _register_scalable_target(
    original: Any, backend: Any, namespace: str, r_id: str, dimension: str, **given: Any
) -> Any:
    known = backend.targets.get(dimension, {}).get(r_id)
    low, high = given["min_capacity"], given["max_capacity"]
    low = known.min_capacity if low is None and known else low
    high = known.max_capacity if high is None and known else high
    if low is None or high is None:
        raise AWSValidationException("MinCapacity and MaxCapacity are required for a new scalable target")
    if low > high:
        raise AWSValidationException("Maximum capacity cannot be less than minimum capacity")
    target = original(backend, namespace, r_id, dimension, **given)
    clamp(backend, target)
    return target


def _deregister_scalable_target(original: Any, backend: Any, namespace: str, r_id: str, dimension: str) -> Any:
    found = original(backend, namespace, r_id, dimension)
    for key, policy in list(backend.policies.items()):  # AWS deletes the policies with their target
        if policy.resource_id == r_id:
            policy.delete_alarms(backend.account_id, backend.region_name)
            del backend.policies[key]
    backend.scheduled_actions = [one for one in backend.scheduled_actions if one.resource_id != r_id]
    return found


def clamp(backend: Any, target: Any) -> None:
    """Move a service's desired count into the range of its scalable target, as AWS does when the range changes."""
    if target.scalable_dimension != ECS_DIMENSION:
        return
    _, cluster, name = target.resource_id.split("/")
    (service,), _ = backend.ecs_backend.describe_services(cluster, [name])
    service.desired_count = min(max(service.desired_count, target.min_capacity), target.max_capacity)


def _put_scaling_policy(original: Any, backend: Any, **given: Any) -> Any:
    """A policy that is put again keeps its ARN, and its old alarms go."""
    names = ("service_namespace", "resource_id", "scalable_dimension", "policy_name")
    known = backend.policies.get(FakeApplicationAutoscalingPolicy.formulate_key(*(given[name] for name in names)))
    _refuse_second_tracking(backend, given)
    _refuse_without_fine_metrics(backend, given)
    policy = original(backend, **given)
    if known is not None:
        known.delete_alarms(backend.account_id, backend.region_name)
        for alarm in policy.alarms:
            alarm.alarm_actions = [one.replace(policy.policy_arn, known.policy_arn) for one in alarm.alarm_actions]
        policy.policy_arn = known.policy_arn
    return policy


def _refuse_second_tracking(backend: Any, given: dict[str, Any]) -> None:
    """A metric of a scalable target can be tracked once."""
    specification = _tracked_metric(given["policy_body"])
    for policy in backend.policies.values():
        if (policy.resource_id, policy.scalable_dimension) != (given["resource_id"], given["scalable_dimension"]):
            continue
        tracked = _tracked_metric(policy.target_tracking_scaling_policy_configuration)
        if policy.policy_name != given["policy_name"] and tracked is not None and tracked == specification:
            raise AWSValidationException(
                "Only one TargetTrackingScaling policy for a given metric specification is allowed."
            )


def _refuse_without_fine_metrics(backend: Any, given: dict[str, Any]) -> None:
    """A policy on metrics of 20 s needs a service that has them."""
    named = str((_tracked_metric(given["policy_body"]) or {}).get("PredefinedMetricType", ""))
    if not named.endswith("HighResolution"):
        return
    _, cluster, name = given["resource_id"].split("/")
    (service,), _ = backend.ecs_backend.describe_services(cluster, [name])
    metric = named.removeprefix("ECSServiceAverage").removesuffix("HighResolution")
    if metric not in fine_metrics(service):
        raise AWSValidationException(f"High-resolution metrics of {metric} are not enabled for the service.")


def _tracked_metric(body: Any) -> Any:
    body = body or {}
    return body.get("PredefinedMetricSpecification") or body.get("CustomizedMetricSpecification")


def _put_metric_alarm(cloud_period_s: float) -> Callable[..., Any]:
    """Periods that PutMetricAlarm takes, and for rehearsals with metrics every few seconds also such ones."""
    quick = range(1, SHORTEST_S) if cloud_period_s < SHORTEST_S else ()

    def put(original: Any, backend: Any, *args: Any, **given: Any) -> Any:
        queries = given.get("metric_data_queries") or []
        periods = {given.get("period"), *(one.metric_stat.period for one in queries if one.metric_stat)} - {None}
        for period in map(int, periods):
            if period % 60 and period not in (*HIGH_RESOLUTION_S, *quick):
                raise InvalidParameterValue("Invalid Period: valid values are 10, 20, 30 and any multiple of 60")
            if period < 3600 and period * int(given.get("evaluation_periods") or 1) > DAY_S:
                raise InvalidParameterValue("Metrics cannot be checked across more than a day")
        alarm = original(backend, *args, **given)
        alarm.state_value = "INSUFFICIENT_DATA"
        return alarm

    return put


def _create_load_balancer(original: Any, backend: Any, *args: Any, **given: Any) -> Any:
    """The ARN of a Network Load Balancer says that it is one, and by that CloudWatch tells the two apart."""
    made = original(backend, *args, **given)
    if made.type == "network":
        del backend.load_balancers[made.arn]
        made.arn = made.arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
        backend.load_balancers[made.arn] = made
    return made


def _replica_count(change: int) -> Callable[[Any], Any]:
    def action(response: Any) -> Any:
        group_id, wanted = response._get_param("ReplicationGroupId"), int(response._get_param("NewReplicaCount"))
        (group,) = response.elasticache_backend.describe_replication_groups(replication_group_id=group_id)
        now = len(group.member_clusters) - 1
        if (wanted - now) * change <= 0 or not 0 <= wanted <= 5:
            raise AWSValidationException(f"Replica count {wanted} is not possible from {now}")
        group.member_clusters[1:] = [f"{group_id}-{number:0>3}" for number in range(2, wanted + 2)]
        members = group.node_groups[0]["node_group_members"]
        members[1:] = [
            {**members[-1], "cache_cluster_id": name, "current_role": "replica"} for name in group.member_clusters[1:]
        ]
        return ActionResult({"ReplicationGroup": group})

    return action
