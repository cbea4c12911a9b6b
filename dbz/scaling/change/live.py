"""Reading what is there: ECS, Application Auto Scaling, CloudWatch alarms, ElastiCache."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dbz.config.grammar.target_tracking import FINE_S
from dbz.errors import DbzError, UsageError
from dbz.scaling.aws import Aws
from dbz.scaling.change.health import read_health
from dbz.scaling.change.names import ALARM_ACTIONS, POLICY_ARN, alarm_prefix
from dbz.scaling.change.state import (
    Alarm,
    CacheGroup,
    EcsService,
    Event,
    Json,
    Live,
    Place,
    ScalingActivity,
    ServiceDeployment,
    TargetGroup,
)
from dbz.scaling.handle import ServiceHandle
from dbz.scaling.refusals import NotThereError
from dbz.suggest import did_you_mean

AAS = "application-autoscaling"
MOST_PROTECTIONS = 100
"""As many tasks as GetTaskProtection takes at once."""
_MOST_NAMED = 8
"""So many of what there is are named beside what is not there."""
MOST_SERVICES = 10
"""As many services as DescribeServices takes at once."""
_REASONS = {
    "AlreadyAtMaxCapacity": "the maximum of its range is reached",
    "AlreadyAtMinCapacity": "the minimum of its range is reached",
    "AlreadyAtDesiredCapacity": "it has as many tasks as it should already",
    "AutoScalingAnticipatedFlapping": "it would have to be taken back at once",
    "TargetServicePutResourceAsUnscalable": "ECS does not let it be scaled now",
}
"""Why Application Auto Scaling did not scale, by its code."""
_ALARM_KEYS = (
    "AlarmName", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions",
    "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit", "EvaluationPeriods",
    "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData", "EvaluateLowSampleCountPercentile",
    "Metrics", "ThresholdMetricId",
)  # fmt: skip
_POLICY_KEYS = (
    "PolicyName", "PolicyType", "StepScalingPolicyConfiguration", "TargetTrackingScalingPolicyConfiguration",
)  # fmt: skip
_TARGET_KEYS = ("MinCapacity", "MaxCapacity", "SuspendedState")
_SCHEDULE_KEYS = ("ScheduledActionName", "Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")


def read_live(handle: ServiceHandle, cache_group: str = "") -> Live:
    """Everything about one service. `UsageError` when cluster, service or cache group do not exist."""
    aws, service = handle.aws, read_service(handle)
    policies = aws.pages(AAS, "describe_scaling_policies", "ScalingPolicies", **handle.scalable)
    schedules = aws.pages(AAS, "describe_scheduled_actions", "ScheduledActions", **handle.scalable)
    return Live(
        account=_account(service),
        region=aws.region_name,
        service=service,
        target=read_target(handle),
        policies={one["PolicyName"]: _only(one, _POLICY_KEYS) for one in policies},
        alarms=_alarms(handle, policies),
        schedules={one["ScheduledActionName"]: _only(one, _SCHEDULE_KEYS) for one in schedules},
        cache=read_cache(aws, cache_group) if cache_group else None,
        at=datetime.now(UTC),
    )


def read_service(handle: ServiceHandle) -> EcsService:
    """The service itself; `UsageError` names what does not exist and what does, or another account than was meant."""
    (service,) = read_services(handle.aws, handle.cluster, [handle.name])
    if handle.account and _account(service) != handle.account:
        raise UsageError(
            f"the ARN is of account {handle.account}, and the credentials are of account {_account(service)}",
            hint="--aws-profile, or AWS_PROFILE",
            code="S010",
        )
    return service


def place_of(handle: ServiceHandle) -> Place:
    """Which service it is, for all machines; `UsageError` when there is none."""
    return Place(_account(read_service(handle)), handle.aws.region_name, handle.cluster, handle.name)


def _account(service: EcsService) -> str:
    return service.arn.split(":")[4]


def read_services(aws: Aws, cluster: str, names: Sequence[str]) -> list[EcsService]:
    """Services by name; `UsageError` names what does not exist and what does."""
    found = find_services(aws, cluster, names)
    there = {service.name for service in found}
    for name in names:
        if name not in there:
            raise UsageError(
                f"service '{name}' does not exist in cluster '{cluster}'{_known_services(aws, cluster, name)}",
                code="S007",
            )
    for service in found:
        if service.status != "ACTIVE":
            raise UsageError(
                f"service '{service.name}' of cluster '{cluster}' is {service.status.lower()}: deleted", code="S008"
            )
    return found


def find_services(aws: Aws, cluster: str, names: Sequence[str]) -> list[EcsService]:
    """Those of the services that there are, at most ten a call."""
    found: list[EcsService] = []
    for some in _chunks(names, MOST_SERVICES):
        try:
            answer = aws.call("ecs", "describe_services", cluster=cluster, services=list(some))
        except NotThereError as error:
            raise UsageError(
                f"cluster '{cluster}' does not exist in {aws.where}{_clusters(aws)}", code="S007"
            ) from error
        found += [_service(cluster, one) for one in answer["services"]]
    return found


def list_service_names(aws: Aws, cluster: str) -> list[str]:
    """The names of all services of a cluster."""
    try:
        arns = aws.pages("ecs", "list_services", "serviceArns", cluster=cluster)
    except NotThereError as error:
        raise UsageError(f"cluster '{cluster}' does not exist in {aws.where}{_clusters(aws)}", code="S007") from error
    return [arn.rsplit("/", 1)[-1] for arn in arns]


def read_target(handle: ServiceHandle) -> Json | None:
    """The scalable target of a service, or None."""
    asked = {key: value for key, value in handle.scalable.items() if key != "ResourceId"}
    found = handle.aws.pages(
        AAS, "describe_scalable_targets", "ScalableTargets", ResourceIds=[handle.resource_id], **asked
    )
    return {key: value for key, value in _only(found[0], _TARGET_KEYS).items() if value != {}} if found else None


def read_cache(aws: Aws, group_id: str) -> CacheGroup:
    """An ElastiCache replication group; `UsageError` when there is none of that id."""
    try:
        answer = aws.call("elasticache", "describe_replication_groups", ReplicationGroupId=group_id)
    except NotThereError as error:
        raise UsageError(
            f"cache group '{group_id}' (scaling.cache_group) does not exist in {aws.where}", code="S007"
        ) from error
    (group,) = answer["ReplicationGroups"]
    shards = max(1, len(group.get("NodeGroups", [])))
    return CacheGroup(group_id, group["Status"], shards, len(group["MemberClusters"]) // shards - 1)


def read_activities(handle: ServiceHandle, most: int = 5) -> list[ScalingActivity]:
    """What AWS did with the service by its policies lately, and why it did not, the newest first; none where it does
    not say. It is asked once only: this is a courtesy."""
    try:
        answer = replace(handle.aws, attempts=1, _clients={}).call(
            AAS, "describe_scaling_activities", **handle.scalable, IncludeNotScaledActivities=True, MaxResults=most
        )
    except DbzError:
        return []
    return [
        ScalingActivity(
            one["StartTime"], one.get("Description", ""), one.get("Cause", ""), one.get("StatusMessage", ""),
            tuple(_REASONS.get(each["Code"], each["Code"]) for each in one.get("NotScaledReasons", [])),
        )
        for one in answer["ScalingActivities"]
    ]  # fmt: skip


def read_fine_metrics(handle: ServiceHandle) -> list[str] | None:
    """The metrics of a service that ECS writes every 20 s, in order; None: every minute, or not known here."""
    revisions = read_service(handle).revisions
    if not revisions:
        return None
    answer = handle.aws.call("ecs", "describe_service_revisions", serviceRevisionArns=list(revisions))
    settings = [
        one
        for revision in answer["serviceRevisions"]
        for one in (revision.get("monitoring") or {}).get("metricConfigurations", [])
    ]
    names = {name for one in settings if one.get("resolutionSeconds") == FINE_S for name in one.get("metricNames", [])}
    return sorted(names) or None


def with_target_groups(aws: Aws, live: Live) -> Live:
    """The same with the service's target groups and their load balancers; no call when it has none."""
    service = live.service
    if not service.target_groups:
        return live
    arns = [one.arn for one in read_health(aws, service)] if service.alternates else list(service.target_groups)
    groups = aws.pages("elbv2", "describe_target_groups", "TargetGroups", TargetGroupArns=arns)
    balancers = sorted({arn for one in groups for arn in one.get("LoadBalancerArns", [])})
    hosts: dict[str, str] = {}
    if balancers:
        found = aws.pages("elbv2", "describe_load_balancers", "LoadBalancers", LoadBalancerArns=balancers)
        hosts = {one["LoadBalancerArn"]: one["DNSName"] for one in found}
    shared = {arn for arn in balancers if len(_groups_of(aws, arn)) > 1}
    return replace(live, target_groups=tuple(_target_group(one, hosts, shared) for one in groups))


def _groups_of(aws: Aws, balancer: str) -> list[Any]:
    return aws.pages("elbv2", "describe_target_groups", "TargetGroups", LoadBalancerArn=balancer)


def _target_group(raw: Any, hosts: Mapping[str, str], shared: Container[str]) -> TargetGroup:
    arn, balancer = raw["TargetGroupArn"], next(iter(raw.get("LoadBalancerArns", [])), "")
    name = balancer.rsplit(":loadbalancer/", 1)[-1]
    return TargetGroup(arn, arn.rsplit(":", 1)[-1], name, hosts.get(balancer, ""), balancer in shared)


def stopped_reasons(handle: ServiceHandle, most: int = 5) -> list[str]:
    """Why tasks of a service stopped lately, each reason once."""
    asked = {"cluster": handle.cluster, "serviceName": handle.name, "desiredStatus": "STOPPED"}
    arns = handle.aws.call("ecs", "list_tasks", **asked)["taskArns"]
    if not arns:
        return []
    tasks = handle.aws.call("ecs", "describe_tasks", cluster=handle.cluster, tasks=arns[:100])["tasks"]
    reasons = [str(task.get("stoppedReason", "")) for task in tasks]
    wanted = [reason for reason in reasons if reason and not reason.startswith("Scaling activity")]
    return list(dict.fromkeys(wanted))[:most]


def protected_until(handle: ServiceHandle) -> list[datetime]:
    """Until when each protected task of a service is protected from scale-in; none where AWS does not say."""
    asked = {"cluster": handle.cluster, "serviceName": handle.name, "desiredStatus": "RUNNING"}
    found: list[datetime] = []
    try:
        arns = handle.aws.pages("ecs", "list_tasks", "taskArns", **asked)
        for some in _chunks(arns, MOST_PROTECTIONS):
            answer = handle.aws.call("ecs", "get_task_protection", cluster=handle.cluster, tasks=list(some))
            found += [
                one["expirationDate"].astimezone(UTC) for one in answer["protectedTasks"] if one["protectionEnabled"]
            ]
    except DbzError:  # a service without protected tasks needs no permission for this
        return []
    return found


def _alarms(handle: ServiceHandle, policies: Sequence[Any]) -> dict[str, Alarm]:
    """The alarms that set a policy of the service off, and those that dbz has made for it."""
    aws, prefix = handle.aws, alarm_prefix(handle.cluster, handle.name)
    found = aws.pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=prefix)
    linked = [alarm["AlarmName"] for policy in policies for alarm in policy.get("Alarms", [])]
    for some in _chunks([one for one in linked if not one.startswith(prefix)], 100):
        found += aws.pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=list(some))
    for policy in policies:  # an alarm that somebody made by hand is not always among those of the policy
        if policy["PolicyType"] == "StepScaling":
            found += aws.pages("cloudwatch", "describe_alarms", "MetricAlarms", ActionPrefix=policy["PolicyARN"])
    arns = {_without_creator(one["PolicyARN"]): f"{POLICY_ARN}{one['PolicyName']}" for one in policies}
    return {one["AlarmName"]: _alarm(one, arns) for one in found}


def _alarm(raw: Any, arns: Mapping[str, str]) -> Alarm:
    """An alarm whose actions name the policies of `arns`; any other policy, such as one that is gone, keeps its ARN."""
    settings = _only(raw, _ALARM_KEYS)
    actions = {
        key: [arns.get(_without_creator(one), one) for one in settings[key]] for key in ALARM_ACTIONS if key in settings
    }
    return Alarm(raw["AlarmName"], raw["StateValue"], raw.get("StateReason", ""), {**settings, **actions})


def _without_creator(arn: str) -> str:
    """The ARN of a policy without what AWS adds to it in the alarms that it makes itself."""
    return arn.partition(":createdBy/")[0]


def _service(cluster: str, raw: Any) -> EcsService:
    deployments = tuple(
        ServiceDeployment(
            one["id"], one["status"], one.get("rolloutState", ""), one["desiredCount"], one["runningCount"],
            one.get("failedTasks", 0), one.get("rolloutStateReason", ""),
        )
        for one in raw.get("deployments", [])
    )  # fmt: skip
    balancers = [one for one in _balancers(raw) if one.get("targetGroupArn")]
    pairs = ((one["targetGroupArn"], one.get("advancedConfiguration") or {}) for one in balancers)
    network = (raw.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    target_groups = tuple(one["targetGroupArn"] for one in balancers)
    events = tuple(Event(one["id"], one["createdAt"], one["message"]) for one in raw.get("events", []))
    return EcsService(
        cluster, raw["serviceName"], raw["serviceArn"], raw["status"], raw["desiredCount"], raw["runningCount"],
        raw["pendingCount"], raw.get("taskDefinition", ""), deployments, events, target_groups,
        tuple(network.get("subnets", [])), tuple(network.get("securityGroups", [])),
        raw.get("schedulingStrategy") or "REPLICA", (raw.get("deploymentController") or {}).get("type") or "ECS",
        _breaker(raw), tuple(one["arn"] for one in raw.get("currentServiceRevisions", []) if one.get("arn")),
        {arn: more["alternateTargetGroupArn"] for arn, more in pairs if more.get("alternateTargetGroupArn")},
    )  # fmt: skip


def _balancers(raw: Any) -> list[Any]:
    """The load balancers of a service; where CodeDeploy or somebody else deploys it, those of the primary task set."""
    primary = [one for one in raw.get("taskSets", []) if one.get("status") == "PRIMARY"]
    return [two for one in primary for two in one.get("loadBalancers", [])] or list(raw.get("loadBalancers", []))


def _breaker(raw: Any) -> str:
    """What the deployment circuit breaker of a service does; empty: there is none."""
    settings = (raw.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
    return "" if not settings.get("enable") else "rolls back" if settings.get("rollback") else "stops"


def _only(raw: Any, keys: Sequence[str]) -> dict[str, Any]:
    """What can be given back to AWS to have the same again."""
    return {key: raw[key] for key in keys if raw.get(key) not in (None, "", [])}


def _chunks(names: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    for at in range(0, len(names), most):
        yield names[at : at + most]


def _clusters(aws: Aws) -> str:
    try:
        names = [arn.rsplit("/", 1)[-1] for arn in aws.pages("ecs", "list_clusters", "clusterArns")]
    except DbzError:  # naming them is a courtesy
        return ""
    return _there(names)


def _known_services(aws: Aws, cluster: str, name: str) -> str:
    try:
        names = list_service_names(aws, cluster)
    except DbzError:
        return ""
    return _there(names) + did_you_mean(name, names)


def _there(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f" (there: {', '.join(names[:_MOST_NAMED]) or 'none'}{more})"
