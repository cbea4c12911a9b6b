"""Other commands find the running `dbz serve`, and only a running one."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from dbz.config.folders import state_dir
from dbz.errors import UsageError
from dbz.stack import RunningStack, find_stack
from dbz.stack.state import claim, publish
from tests.children.processes import ended


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def running(pid: int) -> RunningStack:
    started = datetime.fromtimestamp(psutil.Process(pid).create_time(), UTC)
    return RunningStack(
        pid=pid,
        started=started.isoformat(timespec="milliseconds"),
        url="http://127.0.0.1:8480",
        mongo_uri="mongodb://127.0.0.1:1",
        redis_url="redis://127.0.0.1:2/0",
        pids={"store": 11, "cache": 12, "server": 13},
        logs="logs",
    )


def test_nothing_is_found_where_nothing_runs() -> None:
    assert find_stack() is None


def test_a_published_stack_is_found_until_the_claim_ends(folder: Path) -> None:
    mine = running(os.getpid())
    with claim():
        publish(mine)
        assert find_stack() == mine
        assert json.loads((folder / "stack.json").read_text())["schema"] == "dbz.stack/1"
    assert find_stack() is None
    assert not (folder / "stack.json").exists()


def test_a_file_whose_process_is_gone_is_ignored_and_replaced() -> None:
    with ended(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)) as process:
        stale = running(process.pid)
    with claim():
        publish(stale)
        assert find_stack() is None
        publish(running(os.getpid()))
        assert find_stack() == running(os.getpid())


def test_a_process_that_got_the_same_id_later_is_not_taken_for_the_stack() -> None:
    mine = running(os.getpid())
    earlier = datetime.fromisoformat(mine.started) - timedelta(minutes=1)
    with claim():
        publish(replace(mine, started=earlier.isoformat()))
        assert find_stack() is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"schema": "dbz.stack/2"}', '{"schema": "dbz.stack/1"}', '{"pid": 1}', "\xff"]
)
def test_a_damaged_or_foreign_file_counts_for_nothing(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "stack.json").write_text(text, encoding="latin-1")
    assert find_stack() is None


def test_a_second_claim_is_refused_and_names_the_first() -> None:
    mine = running(os.getpid())
    with claim():
        with pytest.raises(UsageError, match="another `dbz serve` is starting"), claim():
            pass
        publish(mine)
        with pytest.raises(UsageError, match=f"running already: {mine.url}, process {mine.pid}") as caught, claim():
            pass
        assert f"kill {mine.pid}" in caught.value.hint
        assert find_stack() == mine
    with claim():
        pass


def test_a_state_folder_that_cannot_be_written_is_a_usage_error(folder: Path) -> None:
    folder.write_text("a file, not a folder")
    with pytest.raises(UsageError, match="cannot be written") as caught, claim():
        pass
    assert "DBZ_STATE_DIR" in caught.value.hint
    assert find_stack() is None


def test_the_folder_follows_the_users_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DBZ_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_dir() == tmp_path / "dbz"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/not/allowed")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_dir() == tmp_path / ".local" / "state" / "dbz"
