"""Silences in the monitor's file, through the command and beside a monitor that holds it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dbz.cli.monitor.group import app
from dbz.config.monitor.matching import AlertMatcher
from dbz.errors import UsageError
from dbz.monitor.rules.alerts import AlertStanding, AlertState
from dbz.monitor.store.silences import SilenceBook
from dbz.monitor.store.store import MonitorStore, Round
from tests.cli.commands import unknown_steps


def run(path: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--state", str(path)], catch_exceptions=False, standalone_mode=False)
    return result.stdout if "--json" in arguments else result.output


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.db"


def test_a_silence_is_kept_listed_and_removed(path: Path) -> None:
    with MonitorStore(path) as store, store.watching():
        book = SilenceBook(store)
        store.keep(Round(1.0, standings={("api", "HIGH_CPU_USAGE"): AlertStanding(AlertState.FIRING, 5.0)}))
        said = run(
            path, "silence", "add", "--type", "HIGH_CPU_USAGE", "--target", "api", "--for", "2h", "--why", "disk"
        )
        assert "silence 1 until" in said and "so far" not in said
        said = run(path, "silence", "add", "--label", "team=chat", "--severity", "info", "--for", "1m", "--in", "1h",
                   "--why", "later", "--type", "SLOWW")  # fmt: skip
        assert "has followed no alert 'SLOWW' so far" in said
        now_s = book.since(0.0)[0].from_s
        first, second = book.since(now_s)
        alert = {"type": "HIGH_CPU_USAGE", "target": "api", "severity": "warning"}
        assert first.covers(alert, now_s) and not first.covers({**alert, "target": "b"}, now_s)
        assert not first.covers(alert, now_s + 7200) and not second.is_on(now_s) and second.is_on(now_s + 3605)
        assert second.matcher == AlertMatcher(severity=["info"], type=["SLOWW"], labels={"team": ["chat"]})
    rows = json.loads(run(path, "silence", "list", "--json"))
    assert [(row["id"], row["state"], row["why"]) for row in rows] == [(1, "on", "disk"), (2, "to come", "later")]
    status = run(path, "status")
    assert "api  HIGH_CPU_USAGE: firing since" in status and "kept to the log: silence 1 until" in status
    assert "ended: silence 1" in run(path, "silence", "remove", "1")
    assert run(path, "silence", "list").startswith("2  to come")
    assert "silence 1 until" in run(path, "history") and ", ended " in run(path, "history")
    with pytest.raises(UsageError, match=r"no silence 1 that has time left \(those that have: 2\)"):
        run(path, "silence", "remove", "1")


def test_silences_are_added_and_removed_for_programs(path: Path) -> None:
    with MonitorStore(path):
        pass
    added = json.loads(run(path, "silence", "add", "--type", "A", "--for", "2h", "--why", "disk", "--json"))
    assert (added["schema"], added["id"], added["state"]) == ("dbz.monitor-silence/1", 1, "on")
    removed = json.loads(run(path, "silence", "remove", "1", "--json"))
    assert (removed["id"], removed["until_s"] < added["until_s"]) == (1, True)
    assert added["next_steps"][1] == "dbz monitor silence remove 1"
    assert unknown_steps(added) == unknown_steps(removed) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--for", "2h", "--why", "x"], "which alerts"),
        (["--type", "A", "--for", "0s", "--why", "x"], "no time at all"),
        (["--type", "A", "--for", "2h", "--why", " "], "--why says nothing"),
        (["--label", "team", "--for", "2h", "--why", "x"], "write for example team=chat"),
        (["--severity", "bad", "--for", "2h", "--why", "x"], "'bad' is not allowed"),
    ],
)
def test_a_silence_that_says_too_little_is_refused(path: Path, arguments: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        run(path, "silence", "add", *arguments)
    with MonitorStore(path) as store:
        assert SilenceBook(store).since(0.0) == []
