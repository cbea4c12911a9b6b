"""What is there when the local cloud begins: a cluster with a service, a balancer, a cache group, a lease table."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.ecs.models import ecs_backends
from moto.elasticache.models import elasticache_backends
from moto.elbv2.models import elbv2_backends


@dataclass(frozen=True)
class CloudOptions:
    """One cluster with one service of `tasks` tasks, further `services` by their numbers of tasks, a cache group of
    `cache_nodes` nodes, a table for leases and a load balancer with a target group for the first service; empty names
    make none.

    `period_s` is how often metrics are written and alarms evaluated.
    """

    host: str = "127.0.0.1"
    port: int = 0
    region: str = "eu-west-1"
    cluster: str = "dbz"
    service: str = "api"
    tasks: int = 2
    services: Mapping[str, int] = field(default_factory=dict)
    cache_group: str = ""
    cache_nodes: int = 0
    lease_table: str = ""
    load_balancer: str = ""
    period_s: float = 60.0
    breaker: int = 3


def furnish(options: CloudOptions) -> None:
    """Make it all."""
    ecs = ecs_backends[DEFAULT_ACCOUNT_ID][options.region]
    ecs.create_cluster(options.cluster)
    group = _make_load_balancer(options) if options.load_balancer else ""
    for name, tasks in {options.service: options.tasks, **options.services}.items():
        ecs.register_task_definition(name, [{"name": name, "image": "dbz"}], memory="1024", cpu="1024")
        attached = {"targetGroupArn": group, "containerName": name, "containerPort": 80}
        ecs.create_service(
            options.cluster, name, tasks, name, launch_type="FARGATE",
            load_balancers=[attached] if group and name == options.service else None,
        )  # fmt: skip
    if options.cache_group:
        _make_cache_group(options)
    if options.lease_table:
        _make_lease_table(options)


def _make_load_balancer(options: CloudOptions) -> str:
    """A load balancer with a target group; the ARN of the latter."""
    backend = elbv2_backends[DEFAULT_ACCOUNT_ID][options.region]
    subnets = backend.ec2_backend.describe_subnets()[:2]
    vpc_id = subnets[0].vpc_id
    name = options.load_balancer
    balancer = backend.create_load_balancer(
        name, [], [one.id for one in subnets], loadbalancer_type="application", tags=[]
    )
    group = backend.create_target_group(name, vpc_id=vpc_id, protocol="HTTP", port="80", target_type="ip", tags=[])
    group.load_balancer_arns.append(balancer.arn)
    return str(group.arn)


def _make_cache_group(options: CloudOptions) -> None:
    backend = elasticache_backends[DEFAULT_ACCOUNT_ID][options.region]
    _call(
        backend.create_replication_group,
        replication_group_id=options.cache_group, replication_group_description="the cache",
        replicas_per_node_group=options.cache_nodes - 1, num_node_groups=1,
        automatic_failover_enabled=True, cache_node_type="cache.t4g.small", engine="redis",
    )  # fmt: skip


def _make_lease_table(options: CloudOptions) -> None:
    backend = dynamodb_backends[DEFAULT_ACCOUNT_ID][options.region]
    _call(
        backend.create_table,
        name=options.lease_table, schema=[{"AttributeName": "id", "KeyType": "HASH"}],
        attr=[{"AttributeName": "id", "AttributeType": "S"}], billing_mode="PAY_PER_REQUEST", tags=[],
    )  # fmt: skip


def _call(make: Any, **given: Any) -> None:
    """moto's makers want every argument named; what is not given is None."""
    names = list(inspect.signature(make).parameters)
    make(**{**dict.fromkeys(names), **given})
