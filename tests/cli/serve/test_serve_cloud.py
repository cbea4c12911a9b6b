"""`dbz serve --cloud`: what `dbz scale` asks of the local cloud really changes how many servers answer."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import socketio

from dbz.errors import ExitCode
from tests.children.processes import carrying, ended, eventually
from tests.cli.running import dbz, start_dbz
from tests.cli.serve.test_serve import Home, finish

NO_AWS = {
    "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_ACCESS_KEY_ID": "", "AWS_ENDPOINT_URL": "",
}  # fmt: skip


def metric(url: object, name: str) -> list[float]:
    """The values of a metric, of all servers; none while the one that was asked comes or goes."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
    except (OSError, HTTPException):
        return []
    return [float(line.split()[-1]) for line in lines if line.startswith(name)]


def test_tasks_are_real_servers_and_end_with_dbz(tmp_path: Path) -> None:
    home = Home(tmp_path)
    env = {**NO_AWS, "DBZ_STATE_DIR": str(home.state), "TMPDIR": str(home.temporary)}
    with home.serving("--cloud", "--tasks", "1", "--period", "1s") as (process, document):
        url = document["url"]
        status = dbz("scale", "status", cwd=tmp_path, **env)
        assert status.returncode == ExitCode.OK, status.stderr
        assert "taking the local cloud" in status.stderr and "1 desired, 1 running" in status.stdout
        done = dbz("scale", "set", "--tasks", "2", "--yes", "--local", cwd=tmp_path, **env)
        assert done.returncode == ExitCode.OK, done.stderr
        assert eventually(lambda: metric(url, "dbz_server_cores") == [2.0])
        resident = "dbz_process_resident_memory_bytes"
        assert eventually(lambda: len(metric(url, resident)) >= 4), "two servers, each with its worker"
        back = dbz("scale", "rollback", "--yes", cwd=tmp_path, **env)
        assert back.returncode == ExitCode.OK, back.stderr
        assert eventually(lambda: metric(url, "dbz_server_cores") == [1.0])
        process.send_signal(signal.SIGKILL)
    assert eventually(lambda: not carrying("DBZ_STATE_DIR", str(home.state)))
    assert eventually(lambda: not list(home.temporary.iterdir()))


def test_ctrl_c_ends_the_cloud_with_its_tasks(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.serving("--cloud", "--tasks", "1") as (process, document):
        assert str(document["cloud_url"]).startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        code, errors = finish(process)
    assert code == ExitCode.OK and "Traceback" not in errors
    assert home.is_clean()


def test_processes_do_not_go_with_tasks(tmp_path: Path) -> None:
    home = Home(tmp_path)
    done = home.run("--cloud", "--processes", "2")
    assert done.returncode == ExitCode.USAGE and "--tasks N" in done.stderr
    done = home.run("--cloud", "--period", "5")
    assert done.returncode == ExitCode.USAGE and "--period: '5' is not a duration" in done.stderr


PLAN = """\
schema: dbz.phases/1
phases:
  - {name: fast, users: 9, connections: 5, requests: 1/s, api_servers: {min: 1, max: 2}}
scale_out_when_any: ["Active connections > 80% capacity"]
scale_in_when_all: ["Active connections < 40% capacity"]
scaling: {period: 1s, cooldown_out: 1s, cooldown_in: 1s, connections_per_server: 5}
"""


def test_the_servers_publish_their_connections_and_the_rule_about_them_works(tmp_path: Path) -> None:
    """Sockets that are held → a line in the task's log → a metric → one more task; and one fewer when they are gone."""
    home = Home(tmp_path)
    (tmp_path / "fast.yaml").write_text(PLAN)
    env = {**home.env, **NO_AWS}
    auto = ["scale", "auto", "--phases", "fast.yaml", "--phase", "fast", "--yes", "--json"]
    with home.serving("--cloud", "--tasks", "1", "--period", "1s") as (_, document):
        url = str(document["url"])
        with ended(start_dbz(auto, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True)) as process:
            assert process.stdout is not None
            decisions = map(json.loads, process.stdout)
            with sockets(url, 5):
                out = next(one for one in decisions if one["done"])
            back = next(one for one in decisions if one["done"])
            process.send_signal(signal.SIGINT)
            process.stdout.read()
        assert process.wait() == ExitCode.OK
        (text,) = [path.read_text() for path in (home.state / "serve-logs").rglob("task-1.log")]
    assert (out["before"], out["desired"], out["reason"]) == (1, 2, "Active connections > 80% capacity")
    assert (back["before"], back["desired"]) == (2, 1)
    lines = [json.loads(line) for line in text.splitlines() if '"_aws"' in line]
    assert {(one["ClusterName"], one["ServiceName"]) for one in lines} == {("dbz", "api")}
    assert max(one["ActiveConnections"] for one in lines) == 5


@contextmanager
def sockets(url: str, count: int) -> Iterator[None]:
    """So many signed-in sockets, held within the block."""
    body = json.dumps({"username": "user0000", "password": "demo"}).encode()
    request = urllib.request.Request(f"{url}/api/auth/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        token = json.load(answer)["access_token"]
    held = []
    try:
        for _ in range(count):
            client = socketio.SimpleClient()
            held.append(client)
            client.connect(url, auth={"token": token}, transports=["websocket"], wait_timeout=60)
        yield
    finally:
        for client in held:
            client.disconnect()
