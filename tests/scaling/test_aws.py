"""Reaching AWS where something is in between, and the region that a user has named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from botocore.exceptions import EndpointConnectionError, SSOTokenLoadError, UnauthorizedSSOTokenError
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.errors import ExitCode, UsageError
from dbz.scaling.aws import Aws, explain
from dbz.scaling.refusals import CallError
from tests.cloud.clouds import KEYS
from tests.whole import WHOLE

PAGE = b"<!doctype html>\n<html lang=en>\n<title>502 Bad Gateway</title>\n<h1>Bad Gateway</h1>\n"
CALLS = [
    ("ecs", "list_clusters", {}),
    ("elbv2", "describe_load_balancers", {}),
    ("cloudwatch", "describe_alarms", {}),
    ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "ecs"}),
    ("elasticache", "describe_replication_groups", {}),
    ("dynamodb", "list_tables", {}),
]
"""Calls of each protocol: JSON, query, CBOR."""


@contextmanager
def answering(status: int, body: bytes, kind: str = "text/html") -> Iterator[tuple[str, list[str]]]:
    """The URL of a server that answers everything so, and the requests it has had."""
    had: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """The one answer."""
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            had.append(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", had
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without their pauses."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("body", [PAGE, b"<html><body>busy</body></html>", b"  \n<HTML>", b""])
@pytest.mark.parametrize(("service", "operation", "asked"), CALLS)
def test_a_page_instead_of_an_answer_is_asked_for_again_and_then_named(
    service: str, operation: str, asked: dict[str, str], body: bytes
) -> None:
    with answering(502, body) as (url, had):
        aws = Aws(region="eu-west-1", endpoint=url, credentials=KEYS)
        with pytest.raises(CallError, match=r"something in front of AWS .* answered 502 Bad Gateway, 6 times"):
            aws.call(service, operation, **asked)
    assert len(had) == 6


@pytest.mark.parametrize("status", [200, 403, 407])
@pytest.mark.parametrize(("service", "operation", "asked"), CALLS)
def test_a_page_that_is_no_failure_says_that_aws_is_not_there(
    service: str, operation: str, asked: dict[str, str], status: int
) -> None:
    with answering(status, PAGE) as (url, had):
        aws = Aws(region="eu-west-1", endpoint=url, credentials=KEYS)
        with pytest.raises(CallError, match=rf"with an HTML page \(status {status}\)"):
            aws.call(service, operation, **asked)
    assert len(had) == 1


@pytest.mark.parametrize(
    ("service", "operation"), [("elbv2", "describe_load_balancers"), ("elasticache", "describe_replication_groups")]
)
def test_an_answer_that_is_cut_off_is_an_error_in_words(service: str, operation: str) -> None:
    with answering(200, b"<Resp", "text/xml") as (url, _):
        aws = Aws(region="eu-west-1", endpoint=url, credentials=KEYS)
        with pytest.raises(CallError, match="no answer of AWS"):
            aws.call(service, operation)


REGIONS = st.sampled_from(["", "eu-central-1", "us-east-1", "ap-south-1"])


@settings(deadline=None, max_examples=25 if WHOLE else 8)
@given(option=REGIONS, aws_region=REGIONS, default=REGIONS, profile=REGIONS)
def test_the_nearest_name_of_the_region_goes_first(
    tmp_path_factory: pytest.TempPathFactory, option: str, aws_region: str, default: str, profile: str
) -> None:
    """As the AWS command line does it: --region, AWS_REGION, AWS_DEFAULT_REGION, the profile's."""
    wanted = option or aws_region or default or profile
    if not wanted:
        return
    config: Path = tmp_path_factory.getbasetemp() / "config"
    config.write_text(f"[default]\nregion = {profile}\n" if profile else "[default]\n")
    with pytest.MonkeyPatch.context() as patch:
        setting: Callable[[str, str], None] = lambda name, value: (  # noqa: E731
            patch.setenv(name, value) if value else patch.delenv(name, raising=False)
        )
        setting("AWS_REGION", aws_region)
        setting("AWS_DEFAULT_REGION", default)
        patch.setenv("AWS_CONFIG_FILE", str(config))
        patch.delenv("AWS_PROFILE", raising=False)
        assert Aws(region=option or None, credentials=KEYS).region_name == wanted


@pytest.mark.parametrize(
    ("code", "message", "said", "hint"),
    [
        ("ExpiredTokenException", "expired", "the AWS credentials have expired .ecs:ListClusters", "aws sso login"),
        ("ExpiredToken", "expired", "the AWS credentials have expired", "aws sso login"),
        ("UnrecognizedClientException", "The security token is invalid.", "does not know the credentials", "regions"),
        ("InvalidClientTokenId", "The security token is invalid.", "does not know the credentials", "AWS_PROFILE"),
        ("InvalidSignatureException", "Signature expired: 1 is now earlier than 2", "this machine's clock", "clock"),
        ("InvalidSignatureException", "does not match", "does not know the credentials", "AWS_PROFILE"),
        ("RequestExpired", "", "this machine's clock", "set the clock"),
        ("OptInRequired", "You are not subscribed", "has not switched on what ecs:ListClusters needs", "enable-region"),
        ("AccessDeniedException", "User x is not authorized", "AWS refused ecs:ListClusters: User x", "docs/scale.md"),
    ],
)
def test_what_aws_refuses_is_said_with_what_helps(code: str, message: str, said: str, hint: str) -> None:
    body = json.dumps({"__type": f"com.amazonaws.ecs#{code}", "message": message}).encode()
    with (
        answering(400, body, "application/x-amz-json-1.1") as (url, had),
        pytest.raises(CallError, match=said) as raised,
    ):
        Aws(region="eu-west-1", endpoint=url, credentials=KEYS).call("ecs", "list_clusters")
    assert hint in raised.value.hint and len(had) == 1 and raised.value.exit_code == ExitCode.UNREACHABLE
    assert ("docs/scale.md" in raised.value.hint) == (code == "AccessDeniedException"), "no policy would help"


def test_a_region_that_is_none_is_asked_about() -> None:
    url = "https://ecs.eu-wset-1.amazonaws.com/"
    told = explain(EndpointConnectionError(endpoint_url=url), "ecs", "list_clusters")
    assert told.hint == "is 'eu-wset-1' a region? did you mean 'eu-west-1'?"
    there = explain(EndpointConnectionError(endpoint_url=url.replace("wset", "west")), "ecs", "list_clusters")
    assert there.hint == "is the endpoint right, and the network there?"
    own = explain(EndpointConnectionError(endpoint_url="http://127.0.0.1:9/"), "ecs", "list_clusters")
    assert own.hint == there.hint


@pytest.mark.parametrize("error", [UnauthorizedSSOTokenError(), SSOTokenLoadError(error_msg="no token")])
def test_a_login_that_is_over_is_no_matter_of_the_network(error: Exception) -> None:
    told = explain(error, "ecs", "list_clusters")
    assert isinstance(told, CallError) and "aws sso login" in told.hint and told.code == "S003"


def test_a_region_that_cannot_be_one_is_a_wrong_argument() -> None:
    with pytest.raises(UsageError, match="doesn't match a supported format"):
        Aws(region="eu west 1", credentials=KEYS).call("ecs", "list_clusters")
