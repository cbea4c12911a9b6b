"""Load balancers and target groups as CloudWatch calls them, also where a file has their ARNs."""

from __future__ import annotations

import re

_BALANCER = re.compile(r"(app|net|gwy)/[\w-]{1,32}/\w+")
_GROUP = re.compile(r"targetgroup/[\w-]{1,32}/\w+")
APPLICATION = "app/"
"""How the names of Application Load Balancers begin: of others CloudWatch has no response times, requests or errors."""


def balancer_name(text: str) -> str:
    """`app/NAME/ID`, from that or from the ARN; empty stays empty. `ValueError` for anything else: an alarm on another
    name would never have a datapoint."""
    name = text.rpartition(":loadbalancer/")[2] if text.startswith("arn:") else text
    if name and not _BALANCER.fullmatch(name):
        raise ValueError(f"'{text}' is no load balancer; write app/NAME/ID, which ends its ARN, or the ARN")
    if name and not name.startswith(APPLICATION):
        raise ValueError(f"'{text}' is no Application Load Balancer: CloudWatch has no response times of it")
    return name


def group_name(text: str) -> str:
    """`targetgroup/NAME/ID`, from that or from the ARN; empty stays empty. `ValueError` for anything else."""
    name = text.rpartition(":")[2] if text.startswith("arn:") else text
    if name and not _GROUP.fullmatch(name):
        raise ValueError(f"'{text}' is no target group; write targetgroup/NAME/ID, which ends its ARN, or the ARN")
    return name
