"""What the commands of `dbz scale` that talk to AWS share: their options, and how they get there."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.options import AwsOptions, duration_of
from dbz.errors import DependencyError, UsageError

if TYPE_CHECKING:
    from dbz.config.phases.plan import Phases
    from dbz.scaling.arns import NamedService
    from dbz.scaling.aws import Aws
    from dbz.scaling.handle import ServiceHandle

_LOG = logging.getLogger(__name__)

Timeout = Annotated[str, typer.Option(help="How long to wait until the service is steady, like 15m.")]
AllowScaleIn = Annotated[bool, typer.Option("--allow-scale-in", help="Fewer tasks or nodes than now are all right.")]
Expires = Annotated[str, typer.Option(help="Put the old range back after this time, like 4h, by a scheduled action.")]

LOCAL_CACHE_GROUP, LOCAL_LEASE_TABLE = "dbz-cache", "dbz-leases"


@dataclass(frozen=True)
class Access:
    """Where to go and what to look at; the plan names it too."""

    aws: Aws
    plan: Phases
    cluster: str
    service: str
    cache_group: str
    load_target: str
    """The app's URL; empty where that is not known."""
    account: str
    """The account that an ARN named; empty: that of the credentials."""

    @property
    def handle(self) -> ServiceHandle:
        """The service that it is about."""
        from dbz.scaling.handle import ServiceHandle

        return ServiceHandle(self.aws, self.cluster, self.service, self.account)


def reach(options: AwsOptions) -> Access:
    """The scaling plan and the way to AWS, or to the local cloud.

    Without any AWS configuration and with a local cloud running, that is taken, and said.
    """
    from dbz.config.phases.file import load_phases
    from dbz.scaling.aws import Aws

    plan = load_phases(options.phases)
    local = _local_cloud(asked=options.local, configured=bool(options.aws_profile) or _aws_is_configured())
    place = _named_place(options, plan)
    region = options.region or place.region
    refuse_other_region(region, [place.region])
    named = {"cluster": place.cluster, "service": place.service}
    if local:
        named["lease_table"] = plan.scaling.lease_table or LOCAL_LEASE_TABLE
        aws = Aws(region=region or "eu-west-1", endpoint=local[0], credentials=("local", "local"))
    else:
        aws = Aws(profile=options.aws_profile or None, region=region or None)
    return Access(
        aws=aws,
        plan=plan.model_copy(update={"scaling": plan.scaling.model_copy(update=named)}),
        cluster=named["cluster"],
        service=named["service"],
        cache_group=plan.scaling.cache_group or (LOCAL_CACHE_GROUP if local else ""),
        load_target=local[1] if local else "",
        account="" if local else place.account,
    )


def _named_place(options: AwsOptions, plan: Phases) -> NamedService:
    """The service by the options, else by the plan; a cluster that no one named is that of the service's ARN."""
    from dbz.scaling.arns import named_service

    scaling = plan.scaling
    given = options.cluster
    if not given and not options.service.startswith("arn:") and "cluster" in scaling.model_fields_set:
        given = scaling.cluster
    return named_service(given, options.service or scaling.service, scaling.cluster)


def refuse_other_region(region: str, named: Iterable[str]) -> None:
    """`UsageError` when an ARN names another region than the one that is meant."""
    for other in named:
        if other and other != region:
            raise UsageError(
                f"the ARN is of {other}, and the region is to be {region}", hint=f"--region {other}", code="S010"
            )


def _local_cloud(*, asked: bool, configured: bool) -> tuple[str, str] | None:
    """The URLs of the local cloud and of its app, or None for AWS."""
    if configured and not asked:
        return None
    from dbz.stack import find_stack

    stack = find_stack()
    if stack is None or not stack.cloud_url:
        if asked:
            raise DependencyError("no local cloud is running", hint="dbz serve --cloud", code="S009")
        return None
    if not asked:
        typer.echo("No AWS configuration: taking the local cloud of `dbz serve --cloud`.", err=True)
    return stack.cloud_url, stack.url


def _aws_is_configured() -> bool:
    import os
    from pathlib import Path

    names = (
        "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    )  # fmt: skip
    files = ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"), ("AWS_CONFIG_FILE", ".aws/config")
    there = (Path(os.environ.get(variable) or Path.home() / default).exists() for variable, default in files)
    return any(os.environ.get(name) for name in names) or any(there)


def expiry(text: str) -> datetime | None:
    """When `--expires` is over; None without it."""
    return datetime.now(UTC) + timedelta(seconds=duration_of("--expires", text)) if text else None


def say(text: str) -> None:
    """A line of progress."""
    _LOG.info("%s", text)
    typer.echo(text, err=True)


def wait(seconds: float) -> bool:
    """Sleep where Ctrl-C ends the command by itself."""
    time.sleep(seconds)
    return False
