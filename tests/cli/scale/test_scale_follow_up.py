"""What a phase asks for once its tasks run: done when the options say so, told when they do not."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz
from tests.cli.scale.test_scale import Shell
from tests.cloud.clouds import RunningCloud
from tests.shards.stores import World, make_world
from tests.shards.writers import writing

PLAN = """\
schema: dbz.phases/1
phases:
  - {name: more, users: 9, connections: 1, requests: 1/s, api_servers: 3, move_clubs: shards.yaml}
"""


@pytest.fixture
def world(tmp_path: Path, shard_uris: list[str]) -> Iterator[World]:
    found = make_world(tmp_path, shard_uris, f"t{secrets.token_hex(6)}")
    with found.deployment:
        yield found


def test_clubs_move_once_the_tasks_run_and_a_refusal_leaves_the_tasks(
    cloud: RunningCloud, tmp_path: Path, world: World
) -> None:
    shell = Shell(cloud, tmp_path)
    shell.env |= world.environment
    (tmp_path / "p.yaml").write_text(PLAN)
    world.fill({f"club{number:02d}": 3 for number in range(6)})

    def shard(*arguments: str) -> None:
        done = dbz("shard", *arguments, "--config", str(world.config), cwd=tmp_path, **shell.env)
        assert done.returncode == ExitCode.OK, done.stderr

    shard("adopt")
    shard("plan", "--add", "shard_2")
    options = ("more", "--phases", "p.yaml", "--yes")
    told = shell.scale("plan", "more", "--phases", "p.yaml")
    assert "clubs are to move: dbz scale apply --move-clubs" in " ".join(told.stdout.split())
    alone = shell.scale("apply", *options, "--move-clubs")
    assert alone.returncode == ExitCode.USAGE and "no server follows the map" in alone.stderr
    assert "the tasks are there, but `dbz shard rebalance" in alone.stderr and shell.counts() == (3, 3)
    left = shell.scale("apply", *options)
    assert left.returncode == ExitCode.OK and "Not done: move clubs to their shards" in left.stderr
    with writing(world, ["club00"]):
        moved = shell.scale("apply", *options, "--move-clubs", "--json")
    assert moved.returncode == ExitCode.OK, moved.stderr
    assert moved.stdout.startswith("{") and "2 clubs moved" in moved.stderr
    no = shell.scale("apply", *options, "--no-move-clubs")
    assert no.returncode == ExitCode.OK and "Not done" not in no.stderr
