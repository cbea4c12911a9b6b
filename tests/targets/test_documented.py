"""docs/targets.md with a real service: its profile is judged by that service's figures, and says whose they are."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dbz.config.load.profile import load_profile
from dbz.errors import ConfigError, ExitCode
from tests.cli.pages.test_ci_recipes import accepted
from tests.cli.running import dbz
from tests.load.socketio_servers import NODE_FOLDER, node_packages
from tests.targets.strangers import stranger

PAGE = (Path(__file__).parents[2] / "docs" / "targets.md").read_text()
VISITS = """\
from dbz.users import HttpUser, task

class Visitor(HttpUser):
    @task
    def work(self):
        self.client.get("/work")
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    node_packages()
    with stranger("node", str(NODE_FOLDER / "metrics.mjs"), "PORT", "", "5") as found:
        yield found


def loaded(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    arguments = ["load", "profile.yaml", "--duration", "4s", "--warmup", "3s", "--no-live", "--json", *options]
    done = dbz(*arguments, cwd=folder)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def project(tmp_path: Path, url: str) -> Path:
    for name, text in re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / name).write_text(text.replace("http://127.0.0.1:3000", url))
    (tmp_path / "visits.py").write_text(VISITS)
    return tmp_path


def test_the_profile_of_the_page_is_judged_by_figures_of_the_service(project: Path, url: str) -> None:
    code, run = loaded(project)
    verdicts = {one["name"]: one["verdict"] for one in run["budgets"]}
    assert "not measured" not in verdicts.values(), run["budgets"]
    assert verdicts["uptime"] == "pass" and verdicts["memory"] == "pass"
    assert code in (ExitCode.OK, ExitCode.BROKEN, ExitCode.INVALID), "a busy machine may break what depends on time"
    server = run["server"]
    assert server["cpu_percent"] > 0.5 and server["connections"] == 1
    assert server["sources"]["memory"] == {
        "origin": f"{url}/metrics",
        "metric": "nodejs_heap_size_used_bytes",
        "note": "",
    }


def test_what_nobody_tells_is_not_measured_and_a_path_that_is_not_there_is_down(project: Path, url: str) -> None:
    budgets = (project / "budgets.yaml").read_text().replace("server.event_loop_lag", "server.active_requests")
    budgets = budgets.replace('p95, limit: "< 2s"}', 'max, limit: "< 9", required: true}')
    (project / "budgets.yaml").write_text(budgets)
    code, run = loaded(project, "--health", f"{url}/nowhere", "--metrics-url", f"{url}/status")
    found = {one["name"]: one for one in run["budgets"]}
    assert code == ExitCode.BROKEN
    assert found["event loop"]["verdict"] == "not measured"
    assert found["uptime"]["verdict"] == "broken" and found["uptime"]["value"] == 0
    assert found["cpu"]["verdict"] == "not measured" and "it has no" in found["cpu"]["note"]
    assert run["server"] is None


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("health", "status", "'status' is neither a path nor a URL"),
        ("metrics", "{cpu: {name: x, unit: bytes}}", "cpu is not given in bytes"),
        ("metrics", '{cpu: "x{"}', "is not the name of a metric"),
        ("metrics", "{cpus: x}", "unknown key 'metrics.cpus'"),
        ("metrics", "{url: ftp://x}", "neither a path nor a URL"),
    ],
)
def test_a_wrong_place_or_name_is_one_message(project: Path, key: str, value: str, says: str) -> None:
    text = re.sub(r"(?ms)^(health|metrics):.*?(?=^\S|\Z)", "", (project / "profile.yaml").read_text())
    (project / "profile.yaml").write_text(f"{text}{key}: {value}\n")
    with pytest.raises(ConfigError, match=rf"profile\.yaml:7: .*{re.escape(says)}"):
        load_profile(str(project / "profile.yaml"))


def test_every_command_of_the_page_is_one_of_ours() -> None:
    shown = re.findall(r"(?m)^\$ dbz (.*)$", PAGE)
    assert shown
    for line in shown:
        accepted(shlex.split(line))
