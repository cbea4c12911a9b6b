"""Messages reach real receivers: at least once, in order, politely; what a receiver must not be told is not told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.monitor.channels import AlertChannel
from dbz.config.monitor.routes import MuteTime
from dbz.errors import DependencyError, UsageError
from dbz.monitor.rules.alerts import AlertStanding
from dbz.monitor.rules.routes import mute_of
from dbz.monitor.sending import channels
from dbz.monitor.sending.channels import Way, way_of
from dbz.monitor.sending.outbox import deliver_due
from dbz.monitor.store.store import MonitorStore, Notice, OutboxRow, Round
from tests.monitor.service import Receiver, running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MonitorStore]:
    with MonitorStore(tmp_path / "m.db") as made:
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running(Receiver()) as server:
        yield server


def row(number: int, channel: str = "hook") -> OutboxRow:
    notice = Notice("SLOW", "api", "warning", "firing", f"number {number} <now> & then")
    return OutboxRow(f"key-{number:02d}-{channel}", channel, notice, float(number), float(number))


def deliver(store: MonitorStore, now_s: float, **urls: str) -> int:
    """One attempt at everything that is due, through webhooks at these URLs."""

    async def attempt() -> int:
        async with httpx.AsyncClient(timeout=channels.DEADLINE_S) as client:
            ways: dict[str, Way] = {name: way_of(AlertChannel(webhook=url), client) for name, url in urls.items()}
            return await deliver_due(store, ways, now_s)

    return asyncio.run(attempt())


def numbers(receiver: Receiver) -> list[int]:
    return [int(alert["text"].split()[1]) for alert in receiver.alerts]


def test_what_failed_is_tried_again_with_the_same_key_and_nothing_overtakes_it(
    store: MonitorStore, receiver: Receiver
) -> None:
    store.keep(Round(1.0, outbox=[row(1), row(2)]))
    receiver.answers = [(500, ""), (503, "")]
    assert deliver(store, 10.0, hook=receiver.url) == 0
    store.keep(Round(11.0, outbox=[row(3)]))
    assert deliver(store, 11.0, hook=receiver.url) == 0, "the older ones wait, so the newer one does"
    assert deliver(store, 15.0, hook=receiver.url) == 0
    assert deliver(store, 24.0, hook=receiver.url) == 0, "twice as long"
    assert deliver(store, 25.0, hook=receiver.url) == 3
    assert numbers(receiver) == [1, 2, 3] and receiver.keys[:3] == ["key-01-hook"] * 3
    assert {kept.key: kept.tries for kept in store.history()} == {"key-01-hook": 3, "key-02-hook": 3, "key-03-hook": 2}
    assert store.waiting() == 0 and all(kept.sent_s == 25.0 for kept in store.history())


def test_who_asks_for_time_gets_it(store: MonitorStore, receiver: Receiver) -> None:
    store.keep(Round(1.0, outbox=[row(1)]))
    receiver.answers = [(429, "120")]
    deliver(store, 1.0, hook=receiver.url)
    assert deliver(store, 120.0, hook=receiver.url) == 0
    assert deliver(store, 121.0, hook=receiver.url) == 1


def test_many_that_wait_are_one_message(store: MonitorStore, receiver: Receiver) -> None:
    store.keep(Round(1.0, outbox=[row(number) for number in range(1, 31)]))
    assert deliver(store, 30.0, hook=receiver.url) == 30
    assert len(receiver.taken) == 1 and numbers(receiver) == list(range(1, 31))


def test_a_channel_that_is_away_holds_up_no_other_and_its_url_is_told_to_nobody(
    store: MonitorStore, receiver: Receiver
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        gone = f"http://127.0.0.1:{nobody.getsockname()[1]}/secret-token"
    store.keep(Round(1.0, outbox=[row(1, "gone"), row(2, "hook"), row(3, "unknown")]))
    assert deliver(store, 5.0, hook=receiver.url, gone=gone) == 1
    waiting = {kept.channel: kept for kept in store.history() if kept.sent_s is None}
    assert waiting["gone"].answer == "ConnectError" and "secret" not in str(store.history())
    assert "no such channel" in waiting["unknown"].answer


def test_an_answer_that_never_comes_has_an_end(store: MonitorStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "DEADLINE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store.keep(Round(1.0, outbox=[row(1)]))
        assert deliver(store, 5.0, hook=f"http://127.0.0.1:{silent.getsockname()[1]}/") == 0
    assert store.waiting() == 1 and store.history()[0].answer in ("no answer within 0.3 s", "ReadTimeout")


def test_a_round_is_kept_whole_once(store: MonitorStore) -> None:
    """Also when it is written again, as after a kill between writing and going on."""
    done = Round(5.0, {"api": {"up": True}}, {("api", "SLOW"): AlertStanding(value=3.0)}, [row(1)])
    store.keep(done)
    store.note_sent(["key-01-hook"], 6.0, "HTTP 200")
    store.keep(done)
    assert store.waiting() == 0 and store.standings() == {("api", "SLOW"): AlertStanding(value=3.0)}
    assert store.series("api", 0.0, 10.0)["up"][-1].last == 1.0
    store.forget(6.0 + 31 * 86_400)
    assert len(store.history()) == 0


def test_one_monitor_a_store_and_a_store_that_is_none(store: MonitorStore, tmp_path: Path) -> None:
    with (
        store.watching(),
        MonitorStore(store.path) as other,
        pytest.raises(UsageError, match=r"is running \(process \d"),
    ):
        other.watching().__enter__()
    (tmp_path / "text.db").write_text("no database" * 100)
    with pytest.raises(DependencyError, match=r"text\.db cannot be used"):
        MonitorStore(tmp_path / "text.db")


@pytest.mark.parametrize(
    ("mute", "when", "muted"),
    [
        ({"from": "22:00", "to": "07:00"}, "2026-11-28 23:00", True),
        ({"from": "22:00", "to": "07:00"}, "2026-11-29 06:59", True),
        ({"from": "22:00", "to": "07:00"}, "2026-11-29 07:00", False),
        ({"from": "22:00", "to": "07:00", "days": ["sat"]}, "2026-11-29 06:59", True),
        ({"from": "22:00", "to": "07:00", "days": ["sun"]}, "2026-11-29 06:59", False),
        ({"from": "12:00", "to": "13:00", "days": ["sun"]}, "2026-11-29 12:30", True),
        ({"from": "12:00", "to": "13:00", "days": ["mon"]}, "2026-11-29 12:30", False),
    ],
)
def test_nights_belong_to_the_day_that_they_begin_on(mute: dict[str, object], when: str, muted: bool) -> None:
    """The 28th of November 2026 is a Saturday."""
    mutes, now = [MuteTime.model_validate(mute)], datetime.fromisoformat(when)
    assert (mute_of(mutes, {"severity": "warning"}, now) is not None) is muted
    assert mute_of(mutes, {"severity": "critical"}, now) is None


def test_a_mute_time_can_be_by_the_clock_of_another_place() -> None:
    """On the night of 25 October 2026 clocks in Amsterdam go back from UTC+2 to UTC+1."""
    mutes = [MuteTime.model_validate({"from": "22:00", "to": "07:00", "zone": "Europe/Amsterdam"})]
    for when, muted in (("2026-10-24T20:00+00:00", True), ("2026-10-25T05:59+00:00", True),
                        ("2026-10-25T06:00+00:00", False), ("2026-10-25T20:59+00:00", False)):  # fmt: skip
        assert (mute_of(mutes, {"severity": "info"}, datetime.fromisoformat(when)) is not None) is muted


@given(st.text(max_size=40))
def test_any_retry_after_is_a_wait_that_ends(text: str) -> None:
    wait = channels._wait_s(text)
    assert wait is None or 0 <= wait <= 3600
