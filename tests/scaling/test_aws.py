"""Reaching AWS where something is in between, and the region that a user has named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.scaling.aws import Aws, CallError
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
