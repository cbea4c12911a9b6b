"""`dbz doctor`: what it finds on real servers, good and bad, and its exit code."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from dbz.children import free_port
from dbz.config.load.metrics import TargetMetrics
from dbz.doctor.account import look_at_account
from dbz.doctor.findings import Diagnosis, Fitness, exit_code
from dbz.doctor.machine import disk_at, look_at_machine, noise_of
from dbz.doctor.packages import look_at_packages
from dbz.doctor.stores import look_at_redis, look_at_store
from dbz.doctor.target import clock_of, look_at_target
from dbz.errors import ExitCode
from dbz.scaling.aws import Aws
from tests.cache.conftest import RedisServer, redis_server
from tests.cli.running import dbz

__all__ = ["redis_server"]


@contextmanager
def serving(answers: Callable[[str], tuple[int, str]], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server whose answers depend on the path; its base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, text = answers(self.path)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        # Shaking hands is left to the handler's thread: a socket that fails in it while it is accepted is nobody's.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def found(findings: AsyncIterator[Diagnosis]) -> dict[str, Diagnosis]:
    """The findings by their names."""

    async def collected() -> dict[str, Diagnosis]:
        return {finding.name: finding async for finding in findings}

    return asyncio.run(collected())


def test_a_machine_that_runs_tests_can_be_written_to_and_tells_its_numbers(tmp_path: Path) -> None:
    findings = {finding.name: finding for finding in look_at_machine(tmp_path / "not" / "there")}
    assert {"Python", "cores", "noise", "other processes", "open files", "memory", "reports"} <= findings.keys()
    assert findings["reports"].health is Fitness.GOOD and str(tmp_path) in findings["reports"].text


def test_a_folder_that_takes_no_files_is_named() -> None:
    # Root may write anywhere but here.
    finding = disk_at("reports", Path("/proc/self"))
    assert finding.health is Fitness.BAD and "/proc" in finding.text
    assert exit_code([finding]) is ExitCode.INVALID


@given(st.floats(0.0005, 0.05), st.floats(0.0, 3.0))
def test_noise_is_what_the_slow_cases_take_beyond_the_median(median_s: float, beyond: float) -> None:
    finding = noise_of([median_s] * 80 + [median_s * (1 + beyond)] * 20)
    wished = Fitness.GOOD if beyond < 0.0999 else Fitness.BAD if beyond > 0.501 else None
    assert wished is None or finding.health is wished
    assert bool(finding.cure) == (finding.health is not Fitness.GOOD)


@pytest.mark.parametrize(
    ("skew_s", "health", "word"), [(0, "good", "same"), (-90, "poor", "90 s behind"), (3600, "poor", "before")]
)
def test_a_clock_that_is_off_is_named_with_its_side(skew_s: int, health: str, word: str) -> None:
    now_s = 1_795_000_000.0
    finding = clock_of(formatdate(now_s + skew_s, usegmt=True), now_s)
    assert finding.health == health and word in finding.text


def test_a_target_with_a_usual_health_path_and_figures_is_good() -> None:
    def answers(path: str) -> tuple[int, str]:
        if path == "/health":
            return 200, "ok"
        if path == "/metrics":
            return 200, "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 5e7\n"
        return 404, ""

    with serving(answers) as url:
        findings = found(look_at_target(url, None, TargetMetrics()))
    assert "/health answers 200" in findings["health"].text and findings["clock"].health is Fitness.GOOD
    assert "memory" in findings["figures"].text


@pytest.mark.parametrize(("health", "status"), [(None, 503), ("/status", 404), ("/status", 500)])
def test_a_target_that_is_not_well_is_bad(health: str | None, status: int) -> None:
    with serving(lambda _path: (status, "")) as url:
        findings = found(look_at_target(url, health, TargetMetrics()))
    assert findings["health"].health is Fitness.BAD and str(status) in findings["health"].text
    assert exit_code(findings.values()) is ExitCode.UNREACHABLE


def test_a_certificate_that_nobody_vouches_for_is_named() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with serving(lambda _path: (200, ""), context) as url:
        findings = found(look_at_target(url, None, TargetMetrics()))
    assert findings["health"].health is Fitness.BAD and "SSL_CERT_FILE" in findings["health"].cure


def test_what_a_user_of_redis_may_not_do_is_named(redis_server: RedisServer) -> None:
    url = redis_server.url

    async def make_user() -> None:
        redis = Redis.from_url(url)
        await redis.execute_command("ACL", "SETUSER", "half", "on", ">pw", "~*", "&*", "+@all", "-unlink", "-setex")
        await redis.aclose()

    asyncio.run(make_user())
    assert found(look_at_redis(url))["rights"].health is Fitness.GOOD
    half = found(look_at_redis(url.replace("redis://", "redis://half:pw@")))
    assert half["rights"].health is Fitness.BAD and half["rights"].text == "half may not: SETEX, UNLINK"
    wrong = found(look_at_redis(url.replace("redis://", "redis://half:secret-guess@")))
    assert wrong["reached"].health is Fitness.BAD and "secret-guess" not in str(wrong)


def test_stores_that_are_away_are_bad_without_their_passwords() -> None:
    port = free_port()
    store = next(look_at_store(f"mongodb://u:topsecret@127.0.0.1:{port}", "dbz"))
    redis = found(look_at_redis(f"redis://u:topsecret@127.0.0.1:{port}"))["reached"]
    assert store.health is redis.health is Fitness.BAD
    assert "topsecret" not in str([store, redis])


@pytest.fixture
def denying() -> Iterator[Aws]:
    """An account whose every call is answered with a refusal."""
    refusal = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    with serving(lambda _path: (403, refusal)) as url:
        aws = Aws(region="eu-west-1", endpoint=url, credentials=("key", "secret"), attempts=1)
        yield aws
        aws.client("sts").close()


def test_a_refused_permission_of_an_account_is_named(denying: Aws) -> None:
    findings = list(look_at_account(denying.call, lambda: denying.where))
    assert [finding.name for finding in findings] == ["identity"]
    assert "sts:GetCallerIdentity" in findings[0].text and findings[0].health is Fitness.BAD


def test_extras_that_are_not_there_are_absent_and_no_fault() -> None:
    findings = list(look_at_packages())
    assert exit_code(findings) is ExitCode.OK
    assert {finding.name for finding in findings} == {"dbz", "load", "embedded", "aws", "cloud", "otlp", "record"}


def test_the_command_says_all_of_it_and_its_code(tmp_path: Path) -> None:
    port = free_port()
    done = dbz("doctor", "--target", f"http://127.0.0.1:{port}", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == ExitCode.UNREACHABLE
    assert any("is it started" in step for step in document["next_steps"])
