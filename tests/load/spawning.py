"""How users come, beside how Locust has them come: a program of its own, for Locust patches whatever imports it.

Run by `test_spawning.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locust import User, runners
from locust.env import Environment

from dbz.load.generator.crowd import departures, spawning
from dbz.load.generator.crowd.spawning import STEP_S

OWN_COUNT: Any = runners.Runner.user_classes_count
"""How Locust counts them."""


class Clock:
    """Time that passes only where somebody sleeps, and then a little more than was asked for. It stands for gevent."""

    def __init__(self, oversleeps_s: float) -> None:
        self.now_s = 0.0
        self._oversleeps_s = oversleeps_s

    def monotonic(self) -> float:
        """The time."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds + self._oversleeps_s

    spawn, joinall = staticmethod(gevent.spawn), staticmethod(gevent.joinall)


class Visitor(User):
    """Ends when it is told to, or by itself."""

    goodbye_s = 0.0
    goodbyes = 0

    def run(self) -> None:
        """Stay, or not; and say goodbye, which takes a while."""
        try:
            gevent.sleep(60 if self.environment.stays else 0)
        finally:
            gevent.sleep(self.goodbye_s)
            type(self).goodbyes += 1


class Guest(Visitor):
    """One of another class."""


@contextmanager
def departing_runner() -> Iterator[Any]:
    """A runner of which users go as dbz has them go."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(runners.LocalRunner, "user_classes_count", OWN_COUNT)  # taken back afterwards
        runner = local_runner()
        departures.install(runner)
        runner.environment.stays = True
        yield runner
        runner.user_greenlets.kill()
        runner.greenlet.kill()


def local_runner() -> Any:
    """A runner of its own environment, with users of two classes."""
    return Environment(user_classes=[Visitor, Guest]).create_local_runner()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.floats(0.5, 200) | st.none(), st.floats(0, 0.02))
def users_come_evenly_and_all_of_them(visitors: int, guests: int, rate: float | None, oversleeps_s: float) -> None:
    runner = local_runner()
    runner.environment.stays = True
    runner._users_dispatcher = None if rate is None else SimpleNamespace(_spawn_rate=rate)
    came_s: list[float] = []
    clock = Clock(oversleeps_s)
    start_at_once = runner.spawn_users

    def start(counts: dict[str, int], *arguments: Any) -> Any:
        came_s.extend([clock.now_s] * sum(counts.values()))
        return start_at_once(counts, *arguments)

    runner.spawn_users = start
    spawning.install(runner)
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(spawning, "time", clock)
        patches.setattr(spawning, "gevent", clock)
        users = runner.spawn_users({"Visitor": visitors, "Guest": guests})
    assert [type(user) for user in users] == [Visitor] * visitors + [Guest] * guests
    spacing_s = 1 / max(len(users) + 1, rate or 0)
    for place, at_s in enumerate(came_s):
        assert -1e-6 <= at_s - place * spacing_s <= STEP_S + 2 * oversleeps_s, "nobody early, and none late"
    assert clock.now_s <= 1 + STEP_S + 2 * oversleeps_s
    runner.user_greenlets.kill()
    runner.greenlet.kill()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.data(), st.floats(0.5, 200) | st.none(), st.floats(0, 0.02))
def users_go_evenly_and_no_others(
    visitors: int, guests: int, data: st.DataObject, rate: float | None, oversleeps_s: float
) -> None:
    with departing_runner() as runner:
        runner._users_dispatcher = None if rate is None else SimpleNamespace(_spawn_rate=rate)
        runner.spawn_users({"Visitor": visitors, "Guest": guests})
        gevent.sleep(0.001)  # until they have begun
        gone = {"Visitor": data.draw(st.integers(0, visitors)), "Guest": data.draw(st.integers(0, guests))}
        clock, went_s = Clock(oversleeps_s), list[float]()
        before = [(type(each.args[0]).__name__, each) for each in runner.user_greenlets]

        def spawn(call: Any, *arguments: Any) -> Any:
            went_s.append(clock.now_s)
            return gevent.spawn(call, *arguments)

        with pytest.MonkeyPatch.context() as patches:
            patches.setattr(clock, "spawn", spawn)
            patches.setattr(departures, "time", clock)
            patches.setattr(departures, "gevent", clock)
            runner.stop_users(gone)
        assert runner.user_classes_count == {"Visitor": visitors - gone["Visitor"], "Guest": guests - gone["Guest"]}
        for name, count in gone.items():
            of_class = [each for of, each in before if of == name]
            assert [each.dead for each in of_class] == [place < count for place in range(len(of_class))]
        apart_s = 1 / max(len(went_s) + 1, rate or 0)
        for place, at_s in enumerate(went_s):
            assert -1e-6 <= at_s - place * apart_s <= 2 * oversleeps_s, "nobody early, and none late"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.booleans())
def those_who_say_goodbye_are_not_told_again_and_count(steps: list[int], cut_short: bool) -> None:
    with departing_runner() as runner, pytest.MonkeyPatch.context() as patches:
        patches.setattr(Visitor, "goodbye_s", 0.03)
        patches.setattr(Visitor, "goodbyes", 0)
        runner._users_dispatcher = SimpleNamespace(_spawn_rate=1000)
        runner.spawn_users({"Visitor": 30})
        gevent.sleep(0.001)  # until they have begun
        left = 30
        for step in steps:
            left -= step
            told = gevent.spawn(runner.stop_users, {"Visitor": runner.user_classes_count["Visitor"] - left})
            told.join(0.012 if cut_short else None)
            if cut_short:  # as a worker does when the next order comes
                told.kill()
        runner.stop_users({"Visitor": runner.user_classes_count["Visitor"] - left})
        patient_until_s = time.monotonic() + 10
        while Visitor.goodbyes < sum(steps) and time.monotonic() < patient_until_s:
            gevent.sleep(0.01)
        gevent.sleep(0.05)  # whoever was told twice would say goodbye again
        assert runner.user_classes_count["Visitor"] == left and Visitor.goodbyes == sum(steps)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(("Visitor", "Guest")), st.integers(-4, 6), st.booleans()), max_size=8))
def the_numbers_of_users_are_those_that_locust_counts(changes: list[tuple[str, int, bool]]) -> None:
    with departing_runner() as runner:
        for name, number, runner.environment.stays in changes:
            if number > 0:
                runner.spawn_users({name: number})
            else:
                runner.stop_users({name: -number})
            assert runner.user_classes_count == OWN_COUNT.fget(runner)
            gevent.sleep(0.001)
            assert runner.user_classes_count == OWN_COUNT.fget(runner)
        runner.user_greenlets.kill()
        assert set(runner.user_classes_count.values()) == {0}


if __name__ == "__main__":
    users_come_evenly_and_all_of_them()
    users_go_evenly_and_no_others()
    those_who_say_goodbye_are_not_told_again_and_count()
    the_numbers_of_users_are_those_that_locust_counts()
    print("as Locust")
