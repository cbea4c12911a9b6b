"""One look at the machine answers all who ask at one moment, and none who ask at another."""

from __future__ import annotations

import asyncio
import time

import pytest

from dbz.targets.moments import once_a_moment, one_moment


def test_who_asks_at_one_moment_gets_one_answer_and_who_asks_later_a_new_one() -> None:
    looks: list[str] = []

    @once_a_moment
    def look(what: str) -> int:
        looks.append(what)
        time.sleep(0.02)
        return len(looks)

    async def asked_together() -> list[int]:
        with one_moment():
            return await asyncio.gather(*(asyncio.to_thread(look, "a") for _ in range(8)))

    assert set(asyncio.run(asked_together())) == {1}
    assert look("a") == 2 and look("a") == 3, "outside of a moment nothing is kept"
    with one_moment():
        assert look("b") == 4 and look("a") == 5 and look("b") == 4


def test_a_look_that_fails_is_not_an_answer() -> None:
    failures = [OSError("gone"), None]

    @once_a_moment
    def look() -> int:
        failure = failures.pop(0)
        if failure is not None:
            raise failure
        return 1

    with one_moment():
        with pytest.raises(OSError, match="gone"):
            look()
        assert look() == 1
