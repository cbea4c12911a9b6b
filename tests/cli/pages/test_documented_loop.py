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
(SERVE, *COMMANDS), (SERVE_APART, *COMMANDS_APART) = _EVERY[:8], _EVERY[8:]
PRICES = {"media": 18}
"""Of a task a month on the page, where it is not that of an API server, 36."""


@pytest.mark.timeout(380)
def test_the_loop_needs_no_hand_edit(tmp_path: Path) -> None:
    home, run = _at_home(tmp_path)
    with home.serving(*SERVE[1:]):
        _follow(run, tmp_path)


@pytest.mark.timeout(380)
def test_services_apart_are_sized_each_and_changed_together(tmp_path: Path) -> None:
    home, run = _at_home(tmp_path)
    counts = _follow_apart(run, tmp_path)
    with home.serving(*SERVE_APART[1:]):
        _change_all(run, counts)


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


def _follow_apart(run: Callable[..., subprocess.CompletedProcess[str]], folder: Path) -> dict[str, int]:
    """Every service that the load reached gets a number; these numbers."""
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
    return {name: servers.min for name, servers in counts.items() if servers is not None}


def _change_all(run: Callable[..., subprocess.CompletedProcess[str]], counts: dict[str, int]) -> None:
    """One plan for all of them, verified together, and one way back."""
    *_, plan, apply, check, back = COMMANDS_APART
    there = {name: 2 if name == "api" else 1 for name in counts}  # as the page has them served
    grow = {name for name, count in counts.items() if count != there[name]}
    assert grow, "nothing to change: nothing was tested"
    planned = run(*plan)
    assert planned.returncode == ExitCode.OK, planned.stderr
    steps = [line.split() for line in planned.stdout.splitlines() if "desired count" in line]
    assert {words[1]: (int(words[-2]), int(words[-1])) for words in steps} == {
        name: (there[name], counts[name]) for name in grow
    }
    before, after = (sum(PRICES.get(name, 36) * count for name, count in each.items()) for each in (there, counts))
    assert f"Cost a month: {before:,} → {after:,} USD" in planned.stdout, planned.stdout
    applied = run(*apply)
    assert applied.returncode == ExitCode.OK, applied.stderr
    assert "10 connections, 2 requests/s asked for" in applied.stderr and "By service" in applied.stderr
    done = run(*check)
    assert done.returncode == ExitCode.OK and "everything is so already" in done.stdout, done.stdout
    taken_back = run(*back)
    assert taken_back.returncode == ExitCode.OK and "as it was before" in taken_back.stdout, taken_back.stderr
    assert run(*check).returncode == ExitCode.BROKEN, "all is as before, so it is open again"
