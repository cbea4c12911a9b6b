"""Whether an account can be reached, who asks, and what may be read there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dbz.doctor.findings import Diagnosis, Fitness, refused
from dbz.errors import DbzError

Call = Callable[..., Any]
"""Makes a call: `call(service, operation, **parameters)`; `DbzError` in words when it fails."""

_READS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("ecs", "list_clusters", {"maxResults": 1}),
    ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "ecs", "MaxResults": 1}),
    ("application-autoscaling", "describe_scaling_policies", {"ServiceNamespace": "ecs", "MaxResults": 1}),
    ("cloudwatch", "describe_alarms", {"MaxRecords": 1}),
)
"""Reads that every plan makes, and that change nothing."""


def look_at_account(call: Call, where: Callable[[], str]) -> Iterator[Diagnosis]:
    """Who asks, in which account and region (which `where` tells), and each read that is refused."""
    try:
        identity, place = call("sts", "get_caller_identity"), where()
    except DbzError as error:
        yield refused("aws", "identity", error)
        return
    yield Diagnosis("aws", "identity", Fitness.GOOD, f"{identity['Arn']}, account {identity['Account']}, {place}")
    refusals = []
    for service, operation, parameters in _READS:
        try:
            call(service, operation, **parameters)
        except DbzError as error:
            refusals.append(refused("aws", operation.replace("_", " "), error))
    yield from refusals
    if not refusals:
        yield Diagnosis("aws", "rights", Fitness.GOOD, "services, their scaling and alarms may be read")
