"""What is named by ARNs: which cluster and service of ECS, and the region and account that they are of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dbz.errors import UsageError

_ARN = re.compile(
    r"arn:[\w-]+:ecs:(?P<region>[\w-]+):(?P<account>\d{12}):(?P<kind>cluster|service)/"
    r"(?:(?P<cluster>[^/:\s]+)/)?(?P<name>[^/:\s]+)"
)
_FORMS = {"cluster": "cluster/NAME", "service": "service/CLUSTER/NAME"}


@dataclass(frozen=True)
class NamedService:
    """A service as it was named."""

    cluster: str
    service: str
    region: str = ""
    """The one of the ARNs; empty where only names were given, and so with the account."""
    account: str = ""


@dataclass(frozen=True)
class _Named:
    name: str
    cluster: str = ""
    region: str = ""
    account: str = ""


def named_service(cluster: str, service: str, otherwise: str = "") -> NamedService:
    """What a cluster and a service are that are given by name or ARN; without a cluster it is that of the service's
    ARN, or else the one `otherwise`.

    `UsageError` when a text is the ARN of something else, or two of them say different things.
    """
    by_service, by_cluster = _named(service, "service"), _named(cluster, "cluster")
    _refuse_two("cluster", by_service.cluster, by_cluster.name)
    _refuse_two("region", by_service.region, by_cluster.region)
    _refuse_two("account", by_service.account, by_cluster.account)
    return NamedService(
        by_cluster.name or by_service.cluster or _named(otherwise, "cluster").name,
        by_service.name,
        by_service.region or by_cluster.region,
        by_service.account or by_cluster.account,
    )


def last_part(name: str) -> str:
    """The name in an ARN of a cluster or a service; a name is itself."""
    return name.rsplit("/", 1)[-1] if name.startswith("arn:") else name


def _named(text: str, kind: str) -> _Named:
    if not text.startswith("arn:"):
        return _Named(text)
    match = _ARN.fullmatch(text)
    if match is None or match["kind"] != kind or (kind == "cluster" and match["cluster"]):
        raise UsageError(
            f"'{text}' is no ARN of a {kind} of ECS", hint=f"arn:aws:ecs:REGION:ACCOUNT:{_FORMS[kind]}", code="S010"
        )
    return _Named(match["name"], match["cluster"] or "", match["region"], match["account"])


def _refuse_two(what: str, of_service: str, other: str) -> None:
    if of_service and other and of_service != other:
        raise UsageError(
            f"the ARN of the service is of {what} {of_service}, and the {what} is to be {other}",
            hint="name one of the two",
            code="S010",
        )
