"""How long does a simulated day take? 86,400 samples through the rules of the plan.

Beside it the same rules, written naively: every evaluation looks at the whole window again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from dbz.config.grammar.conditions import Condition
from dbz.config.grammar.watched import Watched
from dbz.config.phases.file import load_phases
from dbz.scaling.decide.policies import rules_of
from dbz.scaling.decide.rules import Sample
from dbz.scaling.simulate.simulator import ByRules, simulate
from dbz.scaling.simulate.traces import make_shape

BUDGET_S = 2.0
ROUNDS = 3


def naive(
    outwards: Sequence[Condition], inwards: Sequence[Condition], samples: Sequence[Sample], period_s: float
) -> int:
    """How many evaluations met the rules, with slices of the history instead of running counts."""
    found = 0
    for now in range(1, len(samples) + 1):
        found += any(_met(one, samples, now, period_s) for one in outwards)
        found += all(_met(one, samples, now, period_s) for one in inwards)
    return found


def _met(condition: Condition, samples: Sequence[Sample], now: int, period_s: float) -> bool:
    needed, window = condition.samples(period_s)
    values = [one.values.get(condition.metric) for one in samples[max(0, now - window) : now]]
    return sum(value is not None and condition.compare(value, condition.limit) for value in values) >= needed


def best_s(work: Callable[[], object]) -> float:
    """The shortest of some rounds."""
    found = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return min(found)


def main() -> None:
    """Measure and print."""
    plan = load_phases()
    peak = plan.phase("phase_3")
    day = make_shape("day", plan.phases, peak, peak.requests / 7, seed=1)
    rules = rules_of(plan, 1, 20)
    every_second = replace(rules, period_s=1.0)
    a_minute = best_s(lambda: simulate("rules", ByRules(rules), day, 2, per_task=250))
    a_second = best_s(lambda: simulate("rules", ByRules(every_second), day, 2, per_task=250))
    samples = [Sample(at, 4, {Watched.CPU: value, Watched.MEMORY: 0.4}) for at, value in enumerate(day.demand[:3600])]
    slow = best_s(lambda: naive(rules.out_any, rules.in_all, samples, 1.0)) * len(day) / len(samples)
    print(f"{len(day):,} samples, rules looked at once a minute    {a_minute:6.2f} s")
    print(f"{len(day):,} samples, rules looked at every second     {a_second:6.2f} s  (budget {BUDGET_S:g} s)")
    print(f"the rules alone, naively, every second            {slow:6.2f} s  ratio {slow / a_second:.1f}")


if __name__ == "__main__":
    main()
