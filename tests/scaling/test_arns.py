"""Services named by ARNs: the place that is meant, and no other of the same name."""

from __future__ import annotations

import pytest

from dbz.errors import UsageError
from dbz.scaling.arns import NamedService, named_service

ACCOUNT, OTHER = "123456789012", "999999999999"
NEW = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:service/prod/api"
OLD = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:service/api"
CLUSTER = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/prod"
MEANT = NamedService("prod", "api", "eu-west-1", ACCOUNT)


@pytest.mark.parametrize(
    ("cluster", "service", "otherwise", "meant"),
    [
        ("prod", "api", "dbz", NamedService("prod", "api")),
        ("", "api", "dbz", NamedService("dbz", "api")),
        ("", NEW, "dbz", MEANT),
        ("prod", NEW, "dbz", MEANT),
        (CLUSTER, NEW, "dbz", MEANT),
        (CLUSTER, "api", "dbz", MEANT),
        ("prod", OLD, "dbz", MEANT),
        ("", OLD, CLUSTER, MEANT),
        ("prod", NEW.replace("arn:aws", "arn:aws-us-gov"), "", MEANT),
    ],
)
def test_names_and_arns_come_to_one_place(cluster: str, service: str, otherwise: str, meant: NamedService) -> None:
    assert named_service(cluster, service, otherwise) == meant


@pytest.mark.parametrize(
    ("cluster", "service", "problem"),
    [
        ("staging", NEW, "of cluster prod, and the cluster is to be staging"),
        (CLUSTER.replace("prod", "staging"), NEW, "of cluster prod"),
        (CLUSTER.replace("eu-west-1", "us-east-1"), OLD, "of region eu-west-1, and the region is to be us-east-1"),
        (CLUSTER.replace(ACCOUNT, OTHER), OLD, f"of account {ACCOUNT}, and the account is to be {OTHER}"),
        ("prod", CLUSTER, "no ARN of a service of ECS"),
        (NEW, "api", "no ARN of a cluster of ECS"),
        ("prod", "arn:aws:ecs", "no ARN of a service of ECS"),
        ("prod", "arn:", "no ARN of a service of ECS"),
        ("prod", f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition/api:3", "no ARN of a service of ECS"),
        ("prod", f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:service/prod/api", "no ARN of a service of ECS"),
        ("prod", f"{NEW}\n", "no ARN of a service of ECS"),
    ],
)
def test_an_arn_of_something_else_is_refused(cluster: str, service: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        named_service(cluster, service, "dbz")
