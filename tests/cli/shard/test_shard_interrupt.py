"""Ctrl-C and SIGTERM of `dbz shard`: what is done stays, it says where it stands, and running it again goes on."""

from __future__ import annotations

import json
import os
import pty
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import DBZ
from tests.cli.shard.test_shard import Shell
from tests.shards.stores import make_world
from tests.shards.writers import writing

CLUBS = [f"club{number:02d}" for number in range(6)]


@pytest.fixture
def shell(tmp_path: Path, shard_uris: list[str]) -> Iterator[Shell]:
    """Six clubs, adopted, and a plan that gives two of them to a new shard, in which they take a minute to copy."""
    world = make_world(tmp_path, shard_uris, f"t{secrets.token_hex(6)}")
    with world.deployment:
        world.fill(dict.fromkeys(CLUBS, 100), text="x" * 3000)
        made = Shell(world, tmp_path)
        assert made.shard("adopt").returncode == 0
        assert made.shard("plan", "--add", "shard_2").returncode == 0
        yield made


def started(
    shell: Shell, *arguments: str, stdin: int | None = None, stderr: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """`dbz shard rebalance`, slowly."""
    command = [*DBZ, "shard", "rebalance", "--config", str(shell.world.config), "--rate", "50KB/s", *arguments]
    environment = {**shell.world.env, "DBZ_STATE_DIR": str(shell.folder / "state"), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    return subprocess.Popen(
        command, cwd=shell.folder, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, text=True
    )


def line_with(process: subprocess.Popen[str], *words: str) -> str:
    """The next line on standard error that has all of these words."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if all(word in line for word in words):
            return line
    raise AssertionError(lines)


def test_an_interrupt_while_copying_pauses_and_running_it_again_finishes(shell: Shell) -> None:
    with writing(shell.world, CLUBS) as ledger:
        with started(shell, "--yes", "--json") as process:
            progress = json.loads(line_with(process, '"phase": "copying"'))
            while not progress["bytes_done"]:
                progress = json.loads(line_with(process, '"phase": "copying"'))
            process.send_signal(signal.SIGTERM)
            outcome = json.loads(process.communicate(timeout=60)[0])
        assert process.returncode == 130
        assert progress["schema"] == "dbz.shard-progress/1" and progress["bytes_done"] < progress["bytes"]
        assert progress["move"]["lag_s"] >= 0 and progress["copy_bytes_per_s"] > 0 and progress["left_s"] > 0
        assert (outcome["schema"], outcome["paused"], outcome["moves_left"]) == ("dbz.shard-rebalance/1", True, 2)

        with started(shell, "--yes") as process:
            line = line_with(process, " copying ", "lag")
            process.send_signal(signal.SIGINT)
            out, said = process.communicate(timeout=60)
        assert process.returncode == 130 and "0/2 clubs" in line
        assert said.startswith("Pausing at the next safe point")
        assert "dbz: paused: 2 of 2 clubs are not moved yet" in said and "is partly copied" in said
        assert "dbz shard rebalance --yes goes on from here" in said
        assert out.startswith("0 clubs moved")
        paused = json.loads(shell.shard("status", "--json").stdout)
        assert {move["state"] for move in paused["moves"]} == {"copying", "planned"} and paused["mover"] is None

        done = shell.shard("rebalance", "--yes", "--rate", "unlimited", "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert [move["state"] for move in found["moves"]] == ["reversing", "reversing"] and not found["paused"]
    verified = shell.shard("verify")
    assert verified.returncode == 0, verified.stdout
    assert ledger.acknowledged and not ledger.failed


def test_on_a_terminal_ctrl_c_is_answered_at_the_question_and_on_the_screen(shell: Shell) -> None:
    master, terminal = pty.openpty()
    try:
        with started(shell, "--offline", stdin=terminal) as process:
            assert process.stderr is not None
            said = ""
            while "Move 2 clubs?" not in said:
                said += process.stderr.read(1)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[1]
        assert process.returncode == 130
        assert "dbz: interrupted before any club was moved; nothing was changed" in said
        assert json.loads(shell.shard("status", "--json").stdout)["moves"] == []

        with started(shell, "--offline", "--yes", stderr=terminal) as process:
            said = ""
            while "KB/s, " not in said:
                said += os.read(master, 65536).decode(errors="replace")
            process.send_signal(signal.SIGINT)
            while "goes on from here" not in said:
                said += os.read(master, 65536).decode(errors="replace")
        assert process.returncode == 130
        assert "\x1b[?1049h" in said and "\x1b[?1049l" in said, "a screen of its own, and the user's back"
        assert "Moving 2 clubs between shards" in said
        assert said.rindex("paused: 2 of 2 clubs") > said.rindex("\x1b[?1049l")
    finally:
        os.close(master)
        os.close(terminal)
