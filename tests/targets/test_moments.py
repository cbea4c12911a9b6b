"""One look at the machine answers all who ask at the same time, and none who ask later."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dbz.targets.moments import for_a_moment


def test_who_asks_together_gets_one_answer_and_who_asks_later_a_new_one() -> None:
    looks: list[str] = []

    @for_a_moment
    def look(what: str) -> int:
        looks.append(what)
        time.sleep(0.05)
        return len(looks)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(look, ["a"] * 8)) == {1}
    assert look("b") == 2 and looks == ["a", "b"]
    time.sleep(0.3)
    assert look("a") == 3


def test_a_look_that_fails_is_not_an_answer() -> None:
    failures = [OSError("gone"), None]

    @for_a_moment
    def look() -> int:
        failure = failures.pop(0)
        if failure is not None:
            raise failure
        return 1

    with pytest.raises(OSError, match="gone"):
        look()
    assert look() == 1
