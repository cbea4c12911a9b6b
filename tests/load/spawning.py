"""How users come, beside how Locust has them come: a program of its own, for Locust patches whatever imports it.

Run by `test_spawning.py`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locust import User, runners
from locust.env import Environment

from dbz.load.generator import departures, spawning
from dbz.load.generator.spawning import STEP_S


class Clock:
    """Time that passes only where somebody sleeps, and then a little more than was asked for."""

    def __init__(self, oversleeps_s: float) -> None:
        self.now_s = 0.0
        self._oversleeps_s = oversleeps_s

    def monotonic(self) -> float:
        """The time."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds + self._oversleeps_s


class Visitor(User):
    """Ends when it is told to, or by itself."""

    def run(self) -> None:
        """Stay, or not."""
        gevent.sleep(60 if self.environment.stays else 0)


class Guest(Visitor):
    """One of another class."""


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


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(("Visitor", "Guest")), st.integers(-4, 6), st.booleans()), max_size=8))
def the_numbers_of_users_are_those_that_locust_counts(changes: list[tuple[str, int, bool]]) -> None:
    own_count = runners.Runner.user_classes_count
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(runners.LocalRunner, "user_classes_count", own_count)  # taken back afterwards
        runner = local_runner()
        departures.install(runner)
        for name, number, runner.environment.stays in changes:
            if number > 0:
                runner.spawn_users({name: number})
            else:
                runner.stop_users({name: -number})
            assert runner.user_classes_count == own_count.fget(runner)
            gevent.sleep(0.001)
            assert runner.user_classes_count == own_count.fget(runner)
        runner.user_greenlets.kill()
        assert set(runner.user_classes_count.values()) == {0}
        runner.greenlet.kill()


if __name__ == "__main__":
    users_come_evenly_and_all_of_them()
    the_numbers_of_users_are_those_that_locust_counts()
    print("as Locust")
