"""docs/loop.md: every command of the page, in its order, with the files that it shows and nothing edited by hand."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dbz.config.phases.file import load_phases
from dbz.errors import ExitCode
from tests.cli.running import dbz
from tests.cli.serve.test_serve import Home
from tests.cli.serve.test_serve_cloud import NO_AWS

PAGE = (Path(__file__).parents[3] / "docs" / "loop.md").read_text()
FILES = ("phases.yaml", "club.yaml", "club-budgets.yaml", "apart.yaml")
_EVERY = [shlex.split(line)[1:] for line in re.findall(r"^\$ (dbz .*)$", PAGE, re.MULTILINE)]
(SERVE, *COMMANDS), (_, *COMMANDS_APART) = _EVERY[:8], _EVERY[8:]


@pytest.mark.timeout(380)
def test_the_loop_needs_no_hand_edit(tmp_path: Path) -> None:
    home, run = _at_home(tmp_path)
    with home.serving(*SERVE[1:]):
        _follow(run, tmp_path)


@pytest.mark.timeout(380)
def test_services_apart_are_measured_sized_and_simulated(tmp_path: Path) -> None:
    """What comes after that, plans of several services, are tests/cli/scale/test_scale_services.py's."""
    _, run = _at_home(tmp_path)
    _follow_apart(run, tmp_path)


def _at_home(tmp_path: Path) -> tuple[Home, Callable[..., subprocess.CompletedProcess[str]]]:
    home = Home(tmp_path)
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for name, text in zip(FILES, blocks, strict=True):
        (tmp_path / name).write_text(text.replace("< 1s", "< 30s"))  # whatever else the machine is doing
    env = {**NO_AWS, "DBZ_STATE_DIR": str(home.state), "TMPDIR": str(home.temporary)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return dbz(*arguments, cwd=tmp_path, timeout_s=240, **env)

    return home, run


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


def _follow_apart(run: Callable[..., subprocess.CompletedProcess[str]], folder: Path) -> None:
    """Every service that the load reached gets a number."""
    capacity, size, simulate, *_ = COMMANDS_APART
    assert "HOLDS" in run(*capacity).stdout.upper()
    sized = run(*size)
    assert "no task is to be busier than those of" in sized.stdout, sized.stderr
    written = load_phases(folder / "apart.yaml").whole_phase("season")
    counts = {"api": written.api_servers, **written.services}
    # What the users of a short load did not come to has no number, or keeps its own: which that is differs.
    assert {"api", "chat"} <= counts.keys() and len(counts) > 2
    assert "season has" in sized.stderr
    assert "# a guess" in (folder / "apart.yaml").read_text()
    simulated = run(*simulate)
    assert "together" in simulated.stdout and "USD" in simulated.stdout, simulated.stderr
    assert "\napi " in simulated.stdout
