"""`dbz shard` as a user sees it."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.cli.commands import unknown_steps
from tests.cli.documented import shown_commands
from tests.cli.running import dbz
from tests.shards.stores import World, make_world
from tests.shards.writers import writing


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
    assert "'posts' has no index that begins with 'club_id'" in shell.shard("status").stdout
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


def test_a_new_shard_from_adoption_to_verification(shell: Shell) -> None:
    shell.world.fill({f"club{number:02d}": 30 for number in range(6)})
    assert "Not adopted" in shell.shard("status").stdout
    refused = shell.shard("rebalance", "--yes", "--offline")
    assert refused.returncode == 2 and "is not adopted" in refused.stderr
    adopted = shell.shard("adopt")
    assert adopted.returncode == 0 and "No document was moved" in adopted.stdout
    assert "It was adopted before" in shell.shard("adopt").stdout
    assert unknown_steps(json.loads(shell.shard("adopt", "--json").stdout)) == []
    assert shell.shard("plan", "--add", "shard_2").returncode == 0
    nobody = shell.shard("rebalance", "--yes")
    assert nobody.returncode == 2 and "no server follows the map" in nobody.stderr
    asked = shell.shard("rebalance", "--offline")
    assert asked.returncode == 2 and "nothing was done" in asked.stderr and "--yes" in asked.stderr
    done = shell.shard("rebalance", "--yes", "--offline", "--rate", "unlimited")
    assert done.returncode == 0, done.stderr
    assert "2 clubs moved" in done.stdout and "its writes were held" in done.stderr
    again = shell.shard("rebalance", "--yes", "--offline")
    assert again.returncode == 2 and "out of date" in again.stderr
    status = json.loads(shell.shard("status", "--json").stdout)
    assert [shard["clubs"] for shard in status["shards"]] == [2, 2, 2]
    assert status["imbalance"] == pytest.approx(1.0) and {move["state"] for move in status["moves"]} == {"reversing"}
    assert shell.shard("verify").returncode == 0


def test_verify_names_every_document_that_is_wrong(shell: Shell) -> None:
    shell.world.fill({"club00": 3, "club01": 3})
    shell.shard("adopt")
    first, second = (shell.world.deployment.shard(f"shard_{number}") for number in (0, 1))
    second["posts"].insert_one({"_id": "astray", "club_id": "club00"})
    second["posts"].insert_one({"_id": "club00/000001", "club_id": "club00"})
    first["posts"].insert_one({"_id": 17})
    first["messages"].create_index("n")
    done = shell.shard("verify", "--json", "--out", "found.jsonl", "--checkpoint", "kept.json")
    found = json.loads(done.stdout)["findings"]
    assert done.returncode == 1
    assert {(one["kind"], one["id"], one["shard"]) for one in found} == {
        ("misplaced", '{"_id": "astray"}', "shard_1"),
        ("duplicate", '{"_id": "club00/000001"}', "shard_1"),
        ("no club", '{"_id": {"$numberInt": "17"}}', "shard_0"),
        ("no index", "n_1", "shard_1"),
    }
    assert len((shell.folder / "found.jsonl").read_text().splitlines()) == 4
    assert not (shell.folder / "kept.json").exists()
    assert "4 findings in 15 documents" in shell.shard("verify").stdout


def test_a_verification_goes_on_from_its_checkpoint_over_ids_of_all_types(shell: Shell) -> None:
    shell.shard("adopt")
    ids = [5, 2.5, "a", "b", True, None, {"x": 1}]
    posts = shell.world.deployment.shard("shard_1")["posts"]
    posts.insert_many([{"_id": document_id, "club_id": "club00"} for document_id in ids])
    deployment = json.loads(shell.shard("verify", "--json").stdout)["deployment"]
    kept = {"schema": "dbz.shard-verification/1", "deployment": deployment, "clubs": [], "done": [], "findings": []}
    position = {"collection": "posts", "last_id": '{"_id": {"$numberInt": "5"}}', "documents": 3}
    (shell.folder / "kept.json").write_text(json.dumps({**kept, **position}))
    done = json.loads(shell.shard("verify", "--json", "--checkpoint", "kept.json").stdout)
    assert [one["id"] for one in done["findings"]] == [
        '{"_id": "a"}',
        '{"_id": "b"}',
        '{"_id": {"x": {"$numberInt": "1"}}}',
        '{"_id": true}',
    ]
    assert done["documents"] == 7
    (shell.folder / "kept.json").write_text("{}")
    damaged = shell.shard("verify", "--checkpoint", "kept.json")
    assert damaged.returncode == 2 and "checkpoint" in damaged.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--max-fence", "1h"], "--max-fence: '1h' is not between 10ms and 30s"),
        (["--max-latency", "0s"], "--max-latency: '0s' is no time to answer in"),
        (["--max-latency", "20"], "--max-latency: '20' is not a duration"),
        (["--window", "1-5"], "--window: '1-5' is not a window"),
        (["--plan", "missing.json"], "cannot be read"),
    ],
)
def test_bad_options_of_rebalance_are_refused(shell: Shell, arguments: list[str], words: str) -> None:
    shell.shard("adopt")
    done = shell.shard("rebalance", "--yes", "--offline", *arguments)
    assert done.returncode == 2 and words in done.stderr


def test_rollback_cancel_clean_and_query(shell: Shell) -> None:
    shell.world.fill({f"club{number:02d}": 10 for number in range(6)})
    shell.shard("adopt")
    shell.shard("plan", "--add", "shard_2")
    assert shell.shard("rebalance", "--yes", "--offline").returncode == 0
    moves = json.loads(shell.shard("status", "--json").stdout)["moves"]
    first = moves[0]
    back = shell.shard("rollback", first["id"], "--yes", "--offline")
    assert back.returncode == 0, back.stderr
    assert json.loads(shell.shard("route", first["club"], "--json").stdout)["shard"] == first["source"]
    again = shell.shard("rollback", first["id"], "--yes", "--offline")
    assert again.returncode == 2 and "is rolled back: there is no old copy" in again.stderr
    cancelled = shell.shard("cancel", moves[1]["id"], "--yes")
    assert cancelled.returncode == 2 and f"dbz shard rollback {moves[1]['id']}" in cancelled.stderr
    young = shell.shard("clean", "--yes")
    assert young.returncode == 0 and "2 copies are not 24h old yet" in young.stdout
    cleaned = json.loads(shell.shard("clean", "--yes", "--after", "0s", "--json").stdout)
    assert (cleaned["documents"], cleaned["copies"], unknown_steps(cleaned)) == (40, 2, [])
    nothing = json.loads(shell.shard("cancel", "--yes", "--json").stdout)
    assert (nothing["cancelled"], nothing["left"], unknown_steps(nothing)) == ([], 0, [])
    assert shell.shard("verify").returncode == 0
    rows = shell.shard("query", "posts", '{"n": {"$lt": 3}}', "--sort", "-n,club_id", "--skip", "2", "--limit", "5")
    found = [json.loads(line) for line in rows.stdout.splitlines()]
    assert [(row["n"], row["club_id"]) for row in found] == [(2, f"club0{number}") for number in (2, 3, 4, 5)] + [
        (1, "club00")
    ]
    for arguments, words in ((["posts", "{"], "is not JSON"), (["users"], "does not belong to clubs")):
        refused = shell.shard("query", *arguments)
        assert refused.returncode == 2 and words in refused.stderr


def test_writes_past_the_map_and_lost_histories_are_named_and_nothing_is_overwritten(shell: Shell) -> None:
    shell.world.fill({"club00": 10, "club01": 10, "club02": 10})
    shell.shard("adopt")
    shell.shard("plan", "--pin", "club00=shard_1")
    assert shell.shard("rebalance", "--yes", "--offline").returncode == 0
    old, own = (shell.world.deployment.shard(name)["posts"] for name in ("shard_0", "shard_1"))
    old.update_one({"_id": "club00/000001"}, {"$set": {"text": "past the map"}})
    for command in (["verify"], ["clean", "--after", "0s", "--yes"], ["rollback", "m0001", "--yes", "--offline"]):
        done = shell.shard(*command)
        assert done.returncode == 1 and "club00/000001" in done.stdout, done
        assert "written to shard_0 after the club had left it" in " ".join(done.stdout.split()), done.stdout
    assert "Club 'club00' stays on shard_1" in done.stderr and "--discard gives them up" in done.stderr
    own.update_one({"_id": "club00/000001"}, {"$set": {"text": "by the map"}})
    shell.world.deployment.control["moves"].update_many({}, {"$set": {"token": {"_data": "00"}}})
    incomplete = shell.shard("verify")
    assert incomplete.returncode == 4 and "Nothing found" in incomplete.stdout
    assert "Not checked: the copy of 'club00' on shard_0 (m0001): 1 documents were" in incomplete.stdout
    (unchecked,) = json.loads(shell.shard("verify", "--json").stdout)["unchecked"]
    assert (unchecked["club"], unchecked["shard"], unchecked["move"]) == ("club00", "shard_0", "m0001")
    assert shell.shard("clean", "--after", "0s", "--yes").returncode == 4
    back = shell.shard("rollback", "m0001", "--yes", "--offline", "--discard")
    assert back.returncode == 0, back.stderr
    assert old.find_one({"_id": "club00/000001"})["text"] == "by the map"


def test_a_plan_by_writes_counts_them(shell: Shell) -> None:
    shell.world.fill({f"club{number:02d}": 2 for number in range(0, 12, 2)})
    shell.shard("adopt")
    quiet = shell.shard("plan", "--by", "ops", "--sample", "100ms")
    assert quiet.returncode == 2 and "no club was written meanwhile" in quiet.stderr
    with writing(shell.world, ["club00", "club02"]):
        plan = json.loads(shell.shard("plan", "--by", "ops", "--sample", "1s", "--json").stdout)
    assert plan["by"] == "ops" and {move["club"] for move in plan["moves"]} <= {"club00", "club02"}
    assert len(plan["moves"]) == 1, "both are on shard_0: one of them moves"


def test_the_page_on_moving_a_club_does_what_it_says(shell: Shell) -> None:
    shell.world.fill({"club00": 30, "club01": 10})
    said = []
    for command in shown_commands("howto/club.md"):
        _, name, *arguments = command.arguments
        nobody_writes = ["--offline"] if name in ("rebalance", "rollback") else []
        done = shell.shard(name, *arguments, *nobody_writes)
        assert done.returncode == command.code, f"{command}\n{done.stderr}"
        said.append((name, done.stdout))
    routes = [text.split()[0] for name, text in said if name == "route"]
    assert routes == ["shard_0", "shard_1"] and "Rehearsed: 1 club" in said[4][1]
    assert "documents removed from 1 old copy" in said[-1][1]
