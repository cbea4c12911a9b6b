"""The step for GitHub's workflows, carried out as their runner does: inputs by the environment, and a script."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbz.errors import ExitCode
from tests.cli.running import newest_run, small_server

ACTION: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "action.yml").read_text())
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"] if "id" in step}
BUDGETS = """\
schema: dbz.budgets/1
budgets:
  - {name: quick, of: http, stat: p50, limit: "< 5ms"}
"""


def carry_out(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The step `load` with these inputs."""
    step = STEPS["load"]
    given = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()} | inputs
    env = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: given[match[1]], value)
        for name, value in step["env"].items()
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    known = {**os.environ, **env, "PATH": path, "GITHUB_OUTPUT": str(folder / "outputs"), "NO_COLOR": "1"}
    script = folder / "script.py"
    script.write_text(step["run"])
    assert step["shell"] == "python"
    return subprocess.run([sys.executable, script], cwd=folder, env=known, capture_output=True, text=True, timeout=100)


def test_every_input_is_used_and_no_script_contains_one() -> None:
    for step in STEPS.values():
        assert "${{" not in step["run"]
    used = set(re.findall(r"inputs\.([\w-]+)", yaml.safe_dump(ACTION["runs"])))
    assert used == set(ACTION["inputs"])


def test_a_load_is_judged_and_its_exit_code_is_that_of_the_step(tmp_path: Path) -> None:
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    with small_server() as url:
        more = "--duration 1s --warmup 1s --users 2 -H 'X-Club: a b'"
        done = carry_out(tmp_path, load=f"{url}/slow", budgets="budgets.yaml", arguments=more)
        assert done.returncode == ExitCode.BROKEN, done.stdout + done.stderr
        run = newest_run(tmp_path)
        assert run["verdict"] == "fail" and run["profile"]["users"] == 2
        done = carry_out(tmp_path, load=f"{url}/hello", arguments="--duration 1s --warmup 1s --users 2")
        assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    assert (tmp_path / "outputs").read_text() == "exit-code=1\nexit-code=0\n"


@pytest.mark.parametrize("hostile", ["$(touch owned)", "x; touch owned", '" && touch owned #'])
def test_what_stands_in_an_input_is_no_command(tmp_path: Path, hostile: str) -> None:
    for name in ("load", "target", "arguments"):
        done = carry_out(tmp_path, **{"load": "http://127.0.0.1:9/", "arguments": "--no-such", name: hostile})
        assert done.returncode == ExitCode.USAGE, done.stdout + done.stderr
        assert not list(tmp_path.rglob("owned"))
