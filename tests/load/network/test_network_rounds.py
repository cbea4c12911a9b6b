"""Rounds: everybody is woken, once and not too early, and every socket is looked after, whatever else goes on."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
import pytest
from gevent import Timeout
from gevent.hub import get_hub

from dbz.load.generator.net.access.rounds import EARLY_S, GRAIN_S, Rounds

PATIENCE_S = 30


class Sleeper:
    """Notes when it is woken, then does something."""

    def __init__(self, due_s: float, then: Callable[[], None] = lambda: None) -> None:
        self.due_s, self.then = due_s, then
        self.woken_s: list[float] = []

    def ring(self, now_s: float) -> None:
        assert now_s >= self.due_s, "what it waits for counts as due"
        self.woken_s.append(time.monotonic())
        self.then()


@pytest.fixture
def rounds() -> Rounds:
    return Rounds(get_hub())


def wait_until(condition: Callable[[], Any]) -> None:
    with Timeout(PATIENCE_S):
        while not condition():
            gevent.sleep(0.002)


def test_everybody_is_woken_once_and_never_much_too_early(rounds: Rounds):
    chance, sleepers = random.Random(1), []

    def add(count: int) -> None:
        for _ in range(count):
            sleeper = Sleeper(time.monotonic() + chance.random() * 0.1, partial(add, chance.randrange(2)))
            sleepers.append(sleeper)
            rounds.set(sleeper.due_s, sleeper)

    add(200)
    wait_until(lambda: all(sleeper.woken_s for sleeper in sleepers))
    assert len(sleepers) > 200, "those that are woken set alarms too"
    assert {len(sleeper.woken_s) for sleeper in sleepers} == {1}
    assert max(sleeper.due_s - sleeper.woken_s[0] for sleeper in sleepers) <= EARLY_S + 0.002


def test_who_asks_for_now_again_and_again_stops_nobody(rounds: Rounds):
    again: list[Sleeper] = []

    def once_more() -> None:
        if len(again) < 50:
            again.append(Sleeper(0.0, once_more))
            rounds.set(time.monotonic() - 1, again[-1])

    other = Sleeper(time.monotonic() + 0.02)
    rounds.set(other.due_s, other)
    once_more()
    wait_until(lambda: other.woken_s and len(again) == 50 and again[-1].woken_s)


def test_a_sleeper_that_fails_keeps_nobody_asleep(rounds: Rounds, capsys: pytest.CaptureFixture[str]):
    def fail() -> None:
        raise LookupError("a fault of a sleeper")

    due_s = time.monotonic() + 10 * GRAIN_S
    sleepers = [Sleeper(due_s, fail if number == 2 else lambda: None) for number in range(5)]
    for sleeper in sleepers:
        rounds.set(due_s, sleeper)
    wait_until(lambda: all(sleeper.woken_s for sleeper in sleepers))
    assert "a fault of a sleeper" in capsys.readouterr().err


def test_a_socket_is_looked_after_whether_there_is_much_to_do_or_nothing_and_whenever_it_came(rounds: Rounds):
    got: dict[int, bytes] = {}
    pairs: list[tuple[socket.socket, socket.socket, Any]] = []

    def add() -> None:
        near, far = socket.socketpair()
        number = len(pairs)
        reader = rounds.reader(near.fileno())

        def read() -> None:
            rounds.read_something()
            got[number] = got.get(number, b"") + near.recv(100)

        reader.start(read)
        rounds.look_soon()
        pairs.append((near, far, reader))
        far.send(b"first")

    for _ in range(20):  # at rest, then busy
        add()
    joining = Sleeper(time.monotonic() + 0.02, add)  # it is added in a round
    rounds.set(joining.due_s, joining)
    wait_until(lambda: len(got) == 21)
    gevent.sleep(5 * GRAIN_S)
    pairs[3][1].send(b", second")
    wait_until(lambda: len(got[3]) > 5)
    assert got.pop(3) == b"first, second"
    assert set(got.values()) == {b"first"}
    for near, far, reader in pairs:
        reader.stop()
        reader.close()
        near.close()
        far.close()
