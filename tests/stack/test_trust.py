"""The state file is believed only when nobody else can have written it, and only for this machine."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from dbz.stack import RunningStack, find_stack
from dbz.stack.state import publish
from tests.stack.test_state import running


@pytest.fixture(autouse=True)
def state_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state" / "stack.json"


@pytest.fixture
def mine() -> RunningStack:
    return running(os.getpid())


def test_the_file_and_its_folder_are_private(state_file: Path, mine: RunningStack) -> None:
    publish(mine)
    assert (state_file.stat().st_mode & 0o777, state_file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert find_stack() == mine
    assert [path.name for path in state_file.parent.iterdir()] == ["stack.json"]


def test_a_file_that_others_may_change_counts_for_nothing(state_file: Path, mine: RunningStack) -> None:
    publish(mine)
    for mode, found in ((0o622, None), (0o660, None), (0o644, mine)):
        state_file.chmod(mode)
        assert find_stack() == found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_counts_for_nothing(state_file: Path, mine: RunningStack) -> None:
    publish(mine)
    os.chown(state_file, 12345, 12345)
    assert find_stack() is None


def test_a_link_a_pipe_and_a_folder_count_for_nothing(state_file: Path, mine: RunningStack, tmp_path: Path) -> None:
    publish(mine)
    elsewhere = tmp_path / "elsewhere.json"
    state_file.rename(elsewhere)
    state_file.symlink_to(elsewhere)
    assert find_stack() is None
    state_file.unlink()
    os.mkfifo(state_file, 0o600)
    assert find_stack() is None
    state_file.unlink()
    state_file.mkdir()
    assert find_stack() is None


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://198.51.100.7:8480"},
        {"url": "http://127.0.0.1@evil.example:8480"},
        {"url": "http://127.0.0.1.evil.example"},
        {"url": "nothing"},
        {"url": "http://[::1"},
        {"mongo_uri": "mongodb://db.example/?x=127.0.0.1"},
        {"mongo_uri": "mongodb://127.0.0.1:1,db.example:2"},
        {"redis_url": "redis://cache.example:6379"},
        {"cloud_url": "http://cloud.example"},
        {"shards": {"MONGODB_SHARD_0_URI": "mongodb://db.example"}},
        {"shards": {"REDIS_URL": "redis://cache.example"}},
        {"url": 7},
        {"shards": []},
    ],
)
def test_addresses_of_other_machines_count_for_nothing(
    state_file: Path, mine: RunningStack, change: dict[str, object]
) -> None:
    publish(replace(mine, **change))  # type: ignore[arg-type]
    assert json.loads(state_file.read_text())["pid"] == os.getpid()
    assert find_stack() is None


def test_a_stack_with_shards_and_a_cloud_on_this_machine_is_found(mine: RunningStack) -> None:
    shards = {
        "SHARD_COUNT": "2",
        "MONGODB_SHARD_0_URI": "mongodb://localhost:1/?retryWrites=false",
        "REDIS_URL": "redis://[::1]:2/0",
    }
    whole = replace(mine, shards=shards, cloud_url="http://127.0.0.1:9")
    publish(whole)
    assert find_stack() == whole
