"""Reaching AWS: clients with retries, and errors in words. The only module of this room that knows botocore.

Configuration is the standard one: profiles, regions, roles and `AWS_ENDPOINT_URL` of the environment.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dbz.errors import DbzError, DependencyError, UsageError
from dbz.extras import INSTALL
from dbz.hosts import is_web_url
from dbz.masking import masked_text, masked_url
from dbz.scaling.refusals import ATTEMPTS, CallError, refusal_of
from dbz.suggest import did_you_mean

_LOG = logging.getLogger(__name__)

try:
    import boto3  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from botocore.config import Config  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from botocore.exceptions import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        EndpointConnectionError,
        InvalidRegionError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
        ProfileNotFound,
        SSOError,
        TokenRetrievalError,
        UnknownRegionError,
    )
    from botocore.parsers import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
        ResponseParserError,
    )
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise DependencyError("boto3 is not installed", hint=INSTALL["aws"], code="E014") from error

_CONNECT_S = 5
_REGION_OF = re.compile(r"https?://[\w.-]*?\b([a-z]{2}(?:-[a-z]+)+-\d+)\.")
_PERMISSION_NAMES = {"monitoring": "cloudwatch", "elbv2": "elasticloadbalancing", "opensearch": "es", "docdb": "rds"}
_LOOKING = ("Describe", "List", "Get")
_HTML = (b"<!doctype html", b"<html")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""Variables that name the region, the first that is set; all of them go before the profile's region."""
_LEASES = "dynamodb"
"""What leases lie in: to have one must not depend on having one."""


@dataclass
class Aws:
    """The clients of one account and region."""

    profile: str | None = None
    """A profile of the user's AWS configuration; None: as the environment says."""
    region: str | None = None
    """None: that of `AWS_REGION`, else of `AWS_DEFAULT_REGION`, else of the profile."""
    endpoint: str | None = None
    """The URL of a local cloud that needs no setting up; None: as the environment says."""
    credentials: tuple[str, str] | None = None
    """Key and secret for such a cloud; None: as the environment says."""
    read_timeout_s: float = 15.0
    """How long one attempt of a call may be silent."""
    attempts: int = ATTEMPTS
    """How often a call is made until it fails."""
    guards: list[Callable[[], None]] = field(default_factory=list)
    """What is asked right before each request that changes something; see `guarded`."""
    _clients: dict[str, Any] = field(default_factory=dict)
    _session: Any = None

    def client(self, service: str) -> Any:
        """The client of a service, made once."""
        if service not in self._clients:
            with _words("connect", service):
                self._clients[service] = self._make(service)
        return self._clients[service]

    def _make(self, service: str) -> Any:
        if self._session is None:
            key, secret = self.credentials or (None, None)
            # boto3 itself knows AWS_DEFAULT_REGION only, and would take the profile's region before AWS_REGION.
            region = self.region or next((os.environ[name] for name in _REGIONS if os.environ.get(name)), None)
            self._session = boto3.Session(
                profile_name=self.profile, region_name=region, aws_access_key_id=key, aws_secret_access_key=secret
            )
        retries = {"mode": "adaptive", "total_max_attempts": self.attempts}
        config = Config(retries=retries, connect_timeout=_CONNECT_S, read_timeout=self.read_timeout_s)
        check_endpoint(self.endpoint or "")
        client = self._session.client(service, endpoint_url=self.endpoint, config=config)
        client.meta.events.register("before-parse", _check_answer)
        if service != _LEASES:
            client.meta.events.register("before-send", self._before_send)
        return client

    @contextmanager
    def guarded(self, check: Callable[[], None]) -> Iterator[None]:
        """Within this block `check` is called right before each request that changes something is sent, and each
        retry of one; what it raises is raised instead of sending."""
        self.guards.append(check)
        try:
            yield
        finally:
            self.guards.remove(check)

    def check_guards(self) -> None:
        """Raise what a request that changes something would raise now."""
        for check in self.guards:
            check()

    def _before_send(self, event_name: str, **_: Any) -> None:
        if not event_name.rsplit(".", 1)[-1].startswith(_LOOKING):
            self.check_guards()

    def call(self, service: str, operation: str, /, **parameters: Any) -> Any:
        """Make one call, by its name in Python; errors become `DependencyError` or `UsageError`, see `explain`."""
        _LOG.info("asking AWS: %s %s", service, operation)
        with _words(operation, service):
            return getattr(self.client(service), operation)(**parameters)

    def pages(self, service: str, operation: str, key: str, /, **parameters: Any) -> list[Any]:
        """All items under `key` of all pages of a call."""
        _LOG.info("asking AWS: %s %s, all pages", service, operation)
        with _words(operation, service):
            paginator = self.client(service).get_paginator(operation)
            return [item for page in paginator.paginate(**parameters) for item in page.get(key, [])]

    @property
    def where(self) -> str:
        """Region, and endpoint when it is not Amazon's."""
        meta = self.client("ecs").meta
        url = str(meta.endpoint_url)
        return str(meta.region_name) + ("" if "amazonaws.com" in url else f" at {masked_url(url)}")

    @property
    def region_name(self) -> str:
        """The region in use."""
        return str(self.client("ecs").meta.region_name)


def _check_answer(event_name: str, response_dict: dict[str, Any], **_: Any) -> None:
    """What is not from AWS but from something in front of it: a page of a proxy, of a VPC endpoint, of a load balancer.

    No parser of botocore's can read such a page, and the error of one is not retried. A failure (5xx) without a body
    is one that botocore does retry, so the page is taken away; any other page says that AWS is not there at all.
    """
    body, status = response_dict.get("body") or b"", int(response_dict["status_code"])
    if not isinstance(body, bytes) or not body.lstrip()[:20].lower().startswith(_HTML):
        return
    if status >= 500:
        response_dict["body"] = b""
        return
    raise CallError(
        f"{event_name.rsplit('.', 1)[-1]} was not answered by AWS but with an HTML page (status {status})",
        hint="a proxy, a VPN or a VPC endpoint is in between; is the endpoint right?",
        aws_code=str(status),
        code="S005",
    )


@contextmanager
def _words(operation: str, service: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise explain(error, service, operation) from error


def check_endpoint(given: str = "") -> None:
    """`UsageError` when the address in place of Amazon's own is no URL: botocore fails on its way, and quotes it."""
    endpoint = given or os.environ.get("AWS_ENDPOINT_URL", "")
    if endpoint and not is_web_url(endpoint):
        raise UsageError(
            f"the endpoint of AWS, '{masked_url(endpoint)}', is no URL",
            hint="AWS_ENDPOINT_URL=http://HOST:PORT",
            code="S002",
        )


def explain(error: Exception, service: str, operation: str) -> DbzError:
    """An error of botocore in words: the permission that was refused, what is missing, or what failed."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return DependencyError(
            "no AWS credentials were found",
            hint="aws configure, AWS_PROFILE or AWS_ACCESS_KEY_ID; or `dbz serve --cloud` for a local cloud",
            code="S001",
        )
    if isinstance(error, NoRegionError):
        return UsageError(
            "no AWS region is set", hint="AWS_REGION, --region, or `region` in ~/.aws/config", code="S002"
        )
    if isinstance(error, ProfileNotFound):
        return UsageError(str(error), hint="aws configure list-profiles", code="S002")
    if isinstance(error, InvalidRegionError | UnknownRegionError):
        return UsageError(str(error), hint="--region, or AWS_REGION: like eu-west-1", code="S002")
    if isinstance(error, SSOError | TokenRetrievalError | CredentialRetrievalError):
        reason = masked_text(str(error)).splitlines()[0][:300]
        return CallError(f"no AWS credentials could be had: {reason}", hint="aws sso login, or new ones", code="S003")
    name = _api_name(operation)
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = str(error.response.get("Error", {}).get("Message", "")).strip().splitlines() or [""]
        return refusal_of(code, message[0][:200], f"{_PERMISSION_NAMES.get(service, service)}:{name}")
    if isinstance(error, ResponseParserError):
        return CallError(
            f"{name} was answered with what is no answer of AWS: {masked_text(str(error)).splitlines()[0][:200]}",
            code="S005",
        )
    return CallError(
        f"{name} failed: {masked_text(str(error))[:300]}", hint=_hint_of_connection(error, service), code="S005"
    )


def _hint_of_connection(error: Exception, service: str) -> str:
    """What to do about a call that nobody answered: where the region is none that is known, it is most likely that."""
    host = (
        _REGION_OF.match(str(error.kwargs.get("endpoint_url"))) if isinstance(error, EndpointConnectionError) else None
    )
    regions = boto3.Session().get_available_regions(service) if host else []
    if host and regions and host[1] not in regions:
        return f"is '{host[1]}' a region?{did_you_mean(host[1], regions).removeprefix(';')}"
    return "is the endpoint right, and the network there?"


def _api_name(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))
