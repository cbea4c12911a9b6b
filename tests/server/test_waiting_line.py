"""The line before sign-ins: bounded, fair to each name, and whoever gives up leaves no place behind."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.server.auth.passwords import Passwords, hash_password
from dbz.server.http.errors import ApiError
from dbz.server.pacing.waiting_line import WaitingLine

pytestmark = pytest.mark.anyio


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 40))
def test_never_more_than_the_places_and_all_are_free_in_the_end(seed: int, places: int, callers: int) -> None:
    """Whatever callers do (end, fail, give up while they wait), places are neither lost nor given out twice."""

    async def play() -> None:
        rng, inside, most = random.Random(seed), 0, 0
        turns = WaitingLine(places, callers, 30.0, "busy", "busy")

        async def call(key: str) -> None:
            nonlocal inside, most
            async with turns.turn(key):
                inside, most = inside + 1, max(most, inside + 1)
                try:
                    for _ in range(rng.randrange(3)):
                        await asyncio.sleep(0)
                    if rng.random() < 0.2:
                        raise KeyError(key)
                finally:
                    inside -= 1

        tasks = [asyncio.create_task(call(rng.choice("abc"))) for _ in range(callers)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            if rng.random() < 0.3:
                rng.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most <= places
        full = asyncio.Event()
        again = [asyncio.create_task(_hold(turns, full)) for _ in range(places)]
        await asyncio.sleep(0)
        assert sum(task.done() for task in again) == 0 and turns._free == 0 and not turns._waiting
        full.set()
        await asyncio.gather(*again)

    asyncio.run(play())


async def _hold(turns: WaitingLine, until: asyncio.Event) -> None:
    async with turns.turn("x"):
        await until.wait()


async def test_many_calls_of_one_name_do_not_keep_another_waiting() -> None:
    """Who comes last, with a name of his own, is the second to be served, and not the hundredth."""
    turns, served = WaitingLine(1, 1000, 30.0, "busy", "busy"), list[str]()

    async def call(name: str) -> None:
        async with turns.turn(name):
            await asyncio.sleep(0)
            served.append(name)

    await asyncio.gather(*(call("flood") for _ in range(100)), call("ann"), call("bob"))
    assert served.index("ann") <= 2 and served.index("bob") <= 3
    assert Counter(served) == {"flood": 100, "ann": 1, "bob": 1}


async def test_a_line_that_is_full_refuses() -> None:
    """Beyond the bound a caller is told at once to come again."""
    turns, done = WaitingLine(1, 1, 30.0, "busy", "too many"), asyncio.Event()
    inside = [asyncio.create_task(_hold(turns, done)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ApiError) as refused:
        await _hold(turns, done)
    assert (refused.value.status, refused.value.details) == (503, {"retry_after_s": 1})
    done.set()
    await asyncio.gather(*inside)


async def test_who_has_waited_too_long_is_told_to_come_again_and_holds_nothing() -> None:
    """Neither the place that it did not get, nor one in the line."""
    turns, done = WaitingLine(1, 10, 0.01, "busy", "too many"), asyncio.Event()
    inside = asyncio.create_task(_hold(turns, done))
    await asyncio.sleep(0)
    with pytest.raises(ApiError) as refused:
        await _hold(turns, done)
    assert refused.value.status == 503
    done.set()
    await inside
    await _hold(turns, done)
    assert turns._free == 1 and not turns._waiting


@pytest.mark.parametrize("rounds", [3, 2000])
async def test_passwords_are_known_again(rounds: int) -> None:
    """A hash of either kind is known by its password only, whatever the rounds of new ones are by then."""
    passwords = Passwords(rounds, 1)
    try:
        for stored in (await passwords.hash("pässword"), hash_password("pässword", 700)):
            assert await passwords.verify("pässword", stored)
            assert not await passwords.verify("password", stored)
        assert not await passwords.verify("", None)
    finally:
        passwords.stop()
