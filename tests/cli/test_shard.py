"""`dbz shard` as a user sees it."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.cli.running import dbz
from tests.shards.stores import World, make_world


class Shell:
    """A user at a terminal, with the environment and the shards file of a deployment."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder

    def shard(self, command: str, *arguments: str, **env: str) -> CompletedProcess[str]:
        """`dbz shard COMMAND --config FILE …`."""
        environment = {**self.world.environment, "DBZ_STATE_DIR": str(self.folder / "state"), **env}
        config = ["--config", str(self.world.config)]
        return dbz("shard", command, *config, *arguments, cwd=self.folder, **environment)


@pytest.fixture
def shell(tmp_path: Path, shard_uris: list[str]) -> Iterator[Shell]:
    world = make_world(tmp_path, shard_uris, f"t{secrets.token_hex(6)}")
    with world.deployment:
        yield Shell(world, tmp_path)


def test_route_says_where_and_why(shell: Shell) -> None:
    done = shell.shard("route", "club01")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("shard_1  (by the app's own formula, the hash is 1357359817")
    found = json.loads(shell.shard("route", "club01", "--json").stdout)
    assert (found["schema"], found["shard"], found["hash"]) == ("dbz.shard-route/1", "shard_1", 1357359817)


def test_plan_prints_what_would_move_and_saves_it(shell: Shell) -> None:
    shell.world.fill({f"club{number:02d}": 10 for number in range(9)})
    done = shell.shard("plan", "--add", "shard_2", "--out", "plan.json")
    assert done.returncode == 0, done.stderr
    saved = json.loads((shell.folder / "plan.json").read_text())
    assert saved["schema"] == "dbz.shard-plan/1" and len(saved["moves"]) == 3
    for words in ("3 clubs move, 60 documents", "`hash % 3` would move", "33.33 % of the bytes move", "Imbalance"):
        assert words in done.stdout
    assert "'posts' has no index that begins with 'club_id'" in done.stdout
    assert json.loads(shell.shard("plan", "--add", "shard_2", "--json").stdout)["moves"] == saved["moves"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--add", "shard_7"], 2, "unknown shard 'shard_7'"),
        (["--pin", "club00"], 2, "'club00' is not CLUB=SHARD"),
        (["--pin", "club00=shard_0", "--pin", "club00=shard_1"], 2, "cannot be pinned to 'shard_0' and 'shard_1'"),
        (["--rate", "20"], 2, "--rate: '20' is not a"),
        (["--tolerance", "5"], 2, "--tolerance: '5' is not a percentage"),
        (["--out", "no/such/folder/plan.json"], 2, "cannot be written"),
        (["--config", "missing.yaml"], 2, "'missing.yaml' does not exist"),
    ],
)
def test_bad_input_gets_one_message(shell: Shell, arguments: list[str], code: int, words: str) -> None:
    shell.world.fill({"club00": 1})
    done = shell.shard("plan", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_store_that_is_away_is_exit_code_3_and_a_missing_uri_2(shell: Shell) -> None:
    away = shell.shard("plan", TEST_SHARD_1="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300")
    assert away.returncode == 3 and away.stderr.startswith("dbz: shard_1 (TEST_SHARD_1) failed")
    missing = shell.shard("plan", TEST_SHARD_1="")
    assert missing.returncode == 2 and "the environment variable TEST_SHARD_1 is not set" in missing.stderr
