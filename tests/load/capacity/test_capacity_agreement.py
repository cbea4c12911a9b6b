"""Whether two searches for the capacity agree, and what they say of themselves: on made-up servers with real noise."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from dbz.load.capacity.looks import Answer, Length, Tried, Use
from dbz.load.capacity.search import Bounds, Next, SearchResult, interval, known, search
from dbz.load.capacity.uses import as_evidence, uses_of
from dbz.runs.schema import BudgetResult
from tests.load.capacity.simulated_server import MIXED, Clock, SimulatedBudget, SimulatedServer, Used
from tests.whole import some

KNEE = 750
BOUNDS = Bounds(start=65, highest=5000)
SECONDS = {Length.BRIEF: 4.0, Length.FULL: 15.0}
WITHIN_S = 300.0


@dataclass(frozen=True)
class Searched:
    """What a simulated search came to."""

    found: SearchResult
    tried: Sequence[Tried]
    seconds: float
    between: tuple[int, int]

    @property
    def holds(self) -> int:
        """The load that is said to hold."""
        return self.found.holds or 0


def uses(measured: Sequence[Used], load: int) -> tuple[Use, ...]:
    """What was measured in a look, the way a run would say it."""
    budgets = [
        BudgetResult(
            name=one.name, of="http", stat="p95", op="<", limit=1.0, unit="ms", value=one.value, samples=one.samples,
            low=one.low, high=None if math.isinf(one.high) else one.high, verdict="pass",
            reason="it is too much" if one.value >= 1 else "",
        )
        for one in measured
    ]  # fmt: skip
    return tuple(map(as_evidence, uses_of(budgets, load)))


def carry_out(server: SimulatedServer) -> Searched:
    """Search to the end, or as long as there is time."""
    tried: list[Tried] = []
    clock = Clock()
    while isinstance(step := search(BOUNDS, tried), Next):
        if clock.seconds + SECONDS[step.length] + 8 > WITHIN_S:
            step = known(BOUNDS, tried)
            break
        server.now_s += clock.before(step.load)
        measured = server.look(step.load, SECONDS[step.length])
        held = all(one.value < 1 for one in measured)
        clock.looked(SECONDS[step.length], held=held)
        answer = Answer.HOLDS if held else Answer.BREAKS
        cpu_percent = min(60 * step.load / server.knee, 100.0)
        tried.append(Tried(step.load, answer, step.length, uses(measured, step.load), cpu_percent))
    return Searched(step, tried, clock.seconds, interval(BOUNDS, tried) or (0, 0))


def searches(count: int, **server: Any) -> list[Searched]:
    """So many searches of one server."""
    return [carry_out(SimulatedServer(KNEE, random.Random(f"search {number}"), **server)) for number in range(count)]


def agreeing(found: Sequence[Searched]) -> float:
    """The share of pairs of searches that name loads within a tenth of each other."""
    pairs = list(itertools.combinations((one.holds for one in found), 2))
    return sum(max(pair) <= 1.1 * min(pair) for pair in pairs) / len(pairs)


GRADUAL = tuple(replace(one, slope=one.slope / 2) for one in MIXED)
HARD = (SimulatedBudget("api", 1.0, slope=12.0, scatter=0.5),)
SERVERS: dict[str, dict[str, Any]] = {
    "mixed": {},
    "gradual": {"budgets": GRADUAL},
    "hard": {"budgets": HARD, "machine": 0.02},
    "drifting": {"drift_per_s": 0.0003},
}


@pytest.mark.parametrize("kind", some(list(SERVERS), 2))
def test_two_searches_agree_within_a_tenth_and_take_no_longer_than_five_minutes(kind: str) -> None:
    """The server is quicker in one look and slower in the next one, and budgets have few samples near their limits."""
    found = searches(12, **SERVERS[kind])
    assert agreeing(found) >= 0.85
    assert statistics.median(one.holds for one in found) == pytest.approx(0.95 * KNEE, rel=0.06)
    assert max(one.seconds for one in found) <= WITHIN_S
    truth = KNEE * (1 - SERVERS[kind].get("drift_per_s", 0.0) * 120)
    inside = [one.between[0] <= truth <= one.between[1] for one in found]
    assert sum(inside) >= 9


def test_the_load_that_is_named_was_seen_to_hold_for_a_whole_step() -> None:
    for one in searches(10, **SERVERS["hard"], mishaps=0.1):
        there = [look for look in one.tried if look.load == one.holds]
        assert any(look.answer is Answer.HOLDS and look.length is Length.FULL for look in there)


def test_a_sparse_budget_that_breaks_by_chance_moves_less_than_one_of_many_samples() -> None:
    """What is measured is the same: a p95 of twice its limit where half as much was measured at a load nearby."""

    def low(error: float) -> int:
        held = Tried(590, Answer.HOLDS, uses=(Use("score", math.log(0.6), 0.1),))
        broken = Tried(600, Answer.BREAKS, uses=(Use("score", math.log(1.8), error),))
        ends = interval(BOUNDS, [held, broken])
        assert ends is not None
        return ends[0]

    assert low(0.02) < low(1.0)


def test_what_a_server_reaches_of_a_rate_that_is_too_high_is_its_limit() -> None:
    """Few looks tell a hard limit to within some per cent, wherever between them it is."""
    held = Tried(200, Answer.HOLDS, uses=(Use("goodput", 0.0, reached=True),))
    for limit in (220, 260, 300, 330):
        asked = (340, 350)
        beyond = [
            Tried(load, Answer.BREAKS, uses=(Use("goodput", math.log(load / limit), reached=True),)) for load in asked
        ]
        low, high = interval(BOUNDS, [held, *beyond]) or (0, 0)
        assert low <= limit <= high < 1.25 * low
