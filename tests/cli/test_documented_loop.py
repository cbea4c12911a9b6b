"""docs/loop.md: every command of the page, in its order, with the files that it shows and nothing edited by hand."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz
from tests.cli.test_serve import Home
from tests.cli.test_serve_cloud import NO_AWS

PAGE = (Path(__file__).parents[2] / "docs" / "loop.md").read_text()
FILES = ("phases.yaml", "club.yaml", "club-budgets.yaml")
SERVE, *COMMANDS = [shlex.split(line)[1:] for line in re.findall(r"^\$ (dbz .*)$", PAGE, re.MULTILINE)]


@pytest.mark.timeout(380)
def test_the_loop_needs_no_hand_edit(tmp_path: Path) -> None:
    home = Home(tmp_path)
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for name, text in zip(FILES, blocks, strict=True):
        (tmp_path / name).write_text(text.replace("< 1s", "< 30s"))  # whatever else the machine is doing
    env = {**NO_AWS, "DBZ_STATE_DIR": str(home.state), "TMPDIR": str(home.temporary)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return dbz(*arguments, cwd=tmp_path, timeout_s=240, **env)

    with home.serving(*SERVE[1:]):
        _follow(run, tmp_path)


def _follow(run: Callable[..., subprocess.CompletedProcess[str]], folder: Path) -> None:
    capacity, size, simulate, plan, apply, check, back = COMMANDS
    assert "HOLDS" in run(*capacity).stdout.upper()
    assert "season has 3 API servers now" in run(*size).stderr
    assert (folder / "phases.yaml").read_text().count("# once the tasks run, the cache is warmed") == 1
    simulated = run(*simulate).stdout
    assert "measured: " in simulated and "USD" in simulated
    planned = run(*plan).stdout
    assert "1       3" in planned and "ALB: api is behind app/dbz/" in planned and "You do" not in planned
    applied = run(*apply)
    assert applied.returncode == ExitCode.OK, applied.stderr
    assert "20 users" in applied.stderr and "10 connections, 2 requests/s asked for" in applied.stderr
    assert "Warmed" in applied.stderr and "Done and steady. The way back" in applied.stdout
    done = run(*check)
    assert done.returncode == ExitCode.OK and "everything is so already" in done.stdout, done.stdout
    assert run(*back).returncode == ExitCode.OK
