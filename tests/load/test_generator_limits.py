"""What the generator itself runs out of is no failure of its target."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest
import requests

from dbz.errors import ExitCode
from dbz.load.generator.net.limits import limit_behind
from tests.cli.running import newest_run, small_server
from tests.load.http_clients import client_of
from tests.load.raw_server import response, routed, serving
from tests.load.socketio_servers import member_of

DBZ_SCENARIO = """\
from dbz.users import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.02)

    @task
    def hello(self):
        self.client.get("/hello")
"""


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """This process can open nothing any more."""
    gevent.sleep(0.2)  # the event loop opens its own first, and what was closed is gone
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_request_that_finds_no_descriptor_says_so():
    with serving(routed({"/": response(b"ok")})) as server:
        client, ledger = client_of(server.url)
        with no_descriptor_left():
            client.get("/")
        assert client.get("/").text == "ok"
        client.close()
    assert ledger.rows[0][1].startswith("GeneratorLimit: the load generator has no file descriptor left of ")
    assert ledger.rows[0][1].endswith("raise the limit (ulimit -n)") and ledger.rows[1][1] == ""


def test_the_reason_is_found_behind_the_errors_of_other_clients():
    with serving(routed({"/": response(b"ok")})) as server:
        assert requests.get(server.url, timeout=30).text == "ok"  # it imports as it goes
        with no_descriptor_left(), pytest.raises(requests.ConnectionError) as caught:
            requests.get(server.url, timeout=30)
        assert "no file descriptor" in str(limit_behind(caught.value))


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS])
def test_limits_of_this_machine_are_told_from_faults_of_the_server(number):
    assert str(limit_behind(OSError(number, "x"))).startswith("GeneratorLimit: the load generator")
    assert limit_behind(ConnectionRefusedError(errno.ECONNREFUSED, "x")) is None
    assert limit_behind(ValueError("Too many open files")) is None


def test_a_limit_is_recorded_as_the_generators_and_as_no_attempt(tmp_path):
    with serving(routed({})) as server, member_of(server.url, tmp_path) as member:
        with no_descriptor_left(), pytest.raises(Exception, match="GeneratorLimit"):
            member.client.connect(attempts=1)
        assert member.failures() == {} and member.successes() == {}
        assert [kind for kind, _ in member.errors()] == ["generator"]


LOCUST_SCENARIO = DBZ_SCENARIO.replace("dbz.users", "locust")


@pytest.mark.parametrize("scenario", [DBZ_SCENARIO, LOCUST_SCENARIO], ids=["dbz", "locust"])
def test_a_run_without_descriptors_is_invalid_and_says_what_to_raise(tmp_path: Path, scenario: str):
    (tmp_path / "scenario.py").write_text(scenario)
    with small_server() as url:
        command = f"ulimit -n 64; exec {sys.executable} -m dbz.cli.main load scenario.py --target {url}"
        command += " --users 100 --duration 3s --warmup 1s --no-live"
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == ExitCode.INVALID, done.stdout + done.stderr
    run = newest_run(tmp_path)
    assert any("raise the limit (ulimit -n)" in reason for reason in run["reasons"])
    limits = [group for group in run["errors"] if "descriptor" in group["error"] or "open files" in group["error"]]
    assert limits and {group["kind"] for group in limits} == {"generator"}
