"""`dbz monitor` on a service that becomes slow and goes away, with a receiver that is not always there."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz, start_dbz
from tests.monitor.service import Receiver, Service, running

CONFIG = """\
schema: dbz.monitor/1
interval: 1s
down_after: 1s
no_data_after: 2s
targets: [{name: shop, url: "%s"}]
alerts:
  - {type: SLOW, when: response time > 1000ms for 2 seconds, keep_firing_for: 1s, message: look, runbook: "https://r"}
  - {type: BUSY, when: CPU > 99%% for 1 hour}
channels: {hook: {webhook: "%s"}, chat: {slack: "%s"}}
routes: [{to: [hook, chat]}]
"""


@pytest.fixture
def service() -> Iterator[Service]:
    with running(Service()) as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running(Receiver()) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, service: Service, receiver: Receiver) -> Path:
    (tmp_path / "m.yaml").write_text(CONFIG % (service.url, receiver.url, receiver.url))
    return tmp_path


class Watching:
    """`dbz monitor` in a process of its own, that may be killed and begun again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.process: subprocess.Popen[str] | None = None
        self.lines: list[dict[str, Any]] = []

    def begin(self) -> None:
        command = ["monitor", "--config", "m.yaml", "--state", "m.db", "--json"]
        out = (self._folder / "out").open("a")
        self.process = start_dbz(command, cwd=self._folder, stdout=out, stderr=subprocess.STDOUT, text=True)
        out.close()

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(40)

    def told(self) -> list[dict[str, Any]]:
        """Every line so far."""
        rows = []
        for line in (self._folder / "out").read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue  # a kill in the middle of a line, or a note for people
        return rows

    def alerts(self) -> list[str]:
        return [f"{row['alert']['type']} {row['alert']['event']}" for row in self.told() if "alert" in row]


@pytest.fixture
def watching(folder: Path) -> Iterator[Watching]:
    made = Watching(folder)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait(10)


def until(true: Callable[[], object], within_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.1)


def events(receiver: Receiver) -> list[str]:
    return [f"{alert['type']} {alert['event']}" for alert in receiver.alerts]


def test_what_begins_and_ends_arrives_once_and_is_in_the_history(
    folder: Path, service: Service, receiver: Receiver, watching: Watching
) -> None:
    watching.begin()
    until(lambda: any("response time" in row.get("reading", {}) for row in watching.told()))
    receiver.answers = [(503, ""), (503, "")]
    service.mean_s = 3.0
    until(lambda: "SLOW firing" in events(receiver))
    service.mean_s = 0.01
    until(lambda: "SLOW resolved" in events(receiver))
    service.healthy = False
    until(lambda: "TARGET_DOWN firing" in events(receiver))
    service.healthy = True
    until(lambda: "TARGET_DOWN resolved" in events(receiver))
    service.tells = False
    until(lambda: "NO_DATA firing" in events(receiver))
    status = json.loads(dbz("monitor", "status", *_STATE, "--config", "m.yaml", "--json", cwd=folder).stdout)
    assert {row["type"]: row["state"] for row in status}["NO_DATA"] == "firing"
    assert watching.end(signal.SIGINT) == ExitCode.OK
    expected = ["SLOW firing", "SLOW resolved", "TARGET_DOWN firing", "TARGET_DOWN resolved", "NO_DATA firing"]
    assert events(receiver) == expected == watching.alerts()
    slow = receiver.alerts[0]
    assert (
        slow["threshold"] == 1000
        and slow["value"] > 1000
        and (slow["message"], slow["runbook"]) == ("look", "https://r")
    )
    texts = [body["text"] for body in receiver.taken if "text" in body]
    assert len(texts) == 5 and "SLOW firing: response time of shop is 3,000 ms" in texts[0]
    history = json.loads(dbz("monitor", "history", *_STATE, "--json", cwd=folder).stdout)
    assert len(history) == 10 and all(row["sent_s"] for row in history) and max(row["tries"] for row in history) == 2
    shown = dbz("monitor", "history", *_STATE, cwd=folder).stdout
    assert "hook  SLOW firing" in shown and "taken after 2 tries (HTTP 200)" in shown
    assert not any("BUSY" in row.get("note", "") for row in watching.told()), "its CPU is told"


_STATE = ("--state", "m.db")


def test_killed_at_any_moment_it_loses_nothing_and_tells_nothing_twice(
    service: Service, receiver: Receiver, watching: Watching
) -> None:
    """Only a message that was taken when the kill came may come again, and then with the same key."""
    chance = random.Random(20261129)
    kills = 2  # tests/monitor/test_killed.py kills more often, without the waits of a real clock
    for number in range(kills):
        watching.begin()
        service.mean_s = 3.0 if number % 2 == 0 else 0.01
        wanted = "SLOW firing" if number % 2 == 0 else "SLOW resolved"
        seen = events(receiver).count(wanted)
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0.5, 4))
            watching.end(signal.SIGKILL)
            watching.begin()
        until(lambda wanted=wanted, seen=seen: events(receiver).count(wanted) > seen)
        watching.end(signal.SIGKILL)
    keys = [alert["key"] for alert in receiver.alerts]
    once = list(dict.fromkeys(zip(events(receiver), keys, strict=True)))
    assert [event for event, _ in once] == (["SLOW firing", "SLOW resolved"] * kills)[:kills]
    assert len(keys) - len(once) <= 2 * kills


def test_a_drill_really_sends_and_says_who_did_not_take_it(folder: Path, receiver: Receiver) -> None:
    done = dbz("monitor", "drill", "--config", "m.yaml", cwd=folder)
    assert done.returncode == ExitCode.OK and "✓ hook: HTTP 200" in done.stdout
    assert receiver.alerts[0]["event"] == "test" and any("TEST" in body.get("text", "") for body in receiver.taken)
    receiver.answers = [(403, "")]
    done = dbz("monitor", "drill", "chat", "--config", "m.yaml", cwd=folder)
    assert done.returncode == ExitCode.BROKEN and "✗ chat: HTTP 403" in done.stdout
    done = dbz("monitor", "drill", "chatt", "--config", "m.yaml", cwd=folder)
    assert done.returncode == ExitCode.USAGE and "did you mean 'chat'" in done.stderr


def test_a_rule_about_what_nobody_tells_is_said_aloud(folder: Path, service: Service) -> None:
    service.tells = False
    done = dbz("monitor", "--config", "m.yaml", "--state", "m.db", "--for", "4s", cwd=folder)
    assert done.returncode == ExitCode.OK
    assert "note: SLOW cannot be judged: shop does not tell its response time" in done.stdout
