"""What `dbz scale apply` asks at a terminal, and what becomes of the answers."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.children.processes import ended
from tests.cli.running import DBZ
from tests.cli.scale.test_scale import Shell
from tests.cloud.clouds import RunningCloud

PLAN = """\
schema: dbz.phases/1
phases:
  - {name: more, users: 9, connections: 1, requests: 1/s, api_servers: 3, warm_cache: w.yaml, move_clubs: s.yaml}
"""
WARM, MOVE = "Then warm the cache", "Then move clubs to their shards"


@pytest.fixture
def shell(cloud: RunningCloud, tmp_path: Path) -> Shell:
    (tmp_path / "p.yaml").write_text(PLAN)
    return Shell(cloud, tmp_path)


def conversation(shell: Shell, answers: Sequence[tuple[str, str]]) -> tuple[int, str]:
    """Apply at a terminal: answer each question once it stands there; the exit code, and all that was on the screen."""
    ours, theirs = pty.openpty()
    command = [*DBZ, "scale", "apply", "more", "--phases", "p.yaml", "--service", shell.service]
    env = {**os.environ, **shell.env, "TERM": "dumb"}
    screen = ""
    with ended(
        subprocess.Popen(command, cwd=shell.folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    ) as process:
        os.close(theirs)
        for question, answer in answers:
            seen = len(screen)
            while question not in screen[seen:]:
                screen += _read(ours)
            os.write(ours, answer.encode() + b"\n")
        while text := _read(ours):
            screen += text
        os.close(ours)
        return process.wait(30), screen


def _read(terminal: int) -> str:
    """What came; empty once the program has hung up."""
    assert select.select([terminal], [], [], 60)[0], "silent for a minute"
    try:
        return os.read(terminal, 65536).decode()
    except OSError:  # how Linux says that nobody has the other end
        return ""


def test_the_name_is_asked_for_and_each_offer_is_made(shell: Shell) -> None:
    name = f"Type the service's name ({shell.service})"
    code, screen = conversation(shell, [(name, "web")])
    assert code == ExitCode.USAGE and "that is not its name: nothing was changed" in screen
    assert shell.counts() == (2, 2) and WARM not in screen and "Traceback" not in screen

    code, screen = conversation(shell, [(name, shell.service), (WARM, "maybe"), (WARM, "n"), (MOVE, "n")])
    assert code == ExitCode.OK and shell.counts() == (3, 3), screen
    assert "Not done: warm the cache" in screen and "Not done: move clubs to their shards" in screen


def test_an_offer_that_is_taken_up_is_done_and_its_failure_leaves_the_tasks(shell: Shell) -> None:
    """An empty answer takes the offer up. The files that the plan names are not there."""
    name = f"Type the service's name ({shell.service})"
    code, screen = conversation(shell, [(name, shell.service), (WARM, ""), (MOVE, "n")])
    assert code == ExitCode.USAGE and shell.counts() == (3, 3), screen
    assert "the tasks are there, but `dbz cache warm --config" in screen and "w.yaml` failed" in screen
    assert "Not done: move clubs" in screen and "Traceback" not in screen


def test_a_terminal_that_hangs_up_at_a_question_changes_nothing(shell: Shell) -> None:
    code, screen = conversation(shell, [("Type the service's name", "\x04\x04")])
    assert code in (ExitCode.USAGE, ExitCode.INTERRUPTED) and shell.counts() == (2, 2), screen
    assert "Traceback" not in screen
