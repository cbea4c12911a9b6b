"""`dbz serve --cloud`: what `dbz scale` asks of the local cloud really changes how many servers answer."""

from __future__ import annotations

import signal
import urllib.request
from pathlib import Path

from dbz.errors import ExitCode
from tests.children.processes import carrying, eventually
from tests.cli.running import dbz
from tests.cli.test_serve import Home, finish

NO_AWS = {
    "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_ACCESS_KEY_ID": "", "AWS_ENDPOINT_URL": "",
}  # fmt: skip


def metric(url: object, name: str) -> list[float]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
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
        assert len(metric(url, "dbz_process_resident_memory_bytes")) >= 4, "two servers, each with its worker"
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
