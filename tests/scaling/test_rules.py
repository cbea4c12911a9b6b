"""The rule engine: what the plan's rules do, and what no rules on no trace may ever do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.config.grammar.conditions import Condition, parse_condition
from dbz.config.grammar.watched import Watched
from dbz.scaling.decide.rules import Action, Decision, Policy, RuleEngine, Sample

OUT = ("CPU > 70% for 5 minutes", "Memory > 80% for 5 minutes", "Active connections > 80% capacity")
IN = ("CPU < 30% for 15 minutes", "Memory < 50% for 15 minutes", "Active connections < 40% capacity")
PLAN = Policy([parse_condition(one) for one in OUT], [parse_condition(one) for one in IN], 2, 10)


def sample(
    minute: float, tasks: int, cpu: float | None, memory: float | None = 0.4, sockets: float | None = 0
) -> Sample:
    values = {Watched.CPU: cpu, Watched.MEMORY: memory, Watched.CONNECTIONS: sockets}
    return Sample(minute * 60, tasks, values)


def minutes(engine: RuleEngine, count: int, cpu: float | None, *, begin: int = 1, tasks: int = 4) -> list[Decision]:
    """Decisions of so many minutes, carried out as they come."""
    found = []
    for minute in range(begin, begin + count):
        engine.observe(sample(minute, tasks, cpu))
        found.append(engine.decide(minute * 60, tasks))
        engine.acted(found[-1].action, minute * 60)
    return found


def test_out_after_exactly_five_minutes_and_again_after_the_cooldown() -> None:
    actions = [one.action for one in minutes(RuleEngine(PLAN), 9, 0.9)]
    assert actions == [Action.HOLD] * 4 + [Action.OUT] + [Action.HOLD] * 2 + [Action.OUT] + [Action.HOLD]


def test_the_reason_is_the_sentence() -> None:
    decision = minutes(RuleEngine(PLAN), 5, 0.9)[-1]
    assert (decision.desired, decision.reason) == (5, "CPU > 70% for 5 minutes")


def test_in_after_fifteen_minutes_when_everything_agrees() -> None:
    decisions = minutes(RuleEngine(PLAN), 15, 0.2)
    assert [one.action for one in decisions] == [Action.HOLD] * 14 + [Action.IN]
    assert decisions[-1].desired == 3


def test_one_missing_minute_of_fifteen_holds() -> None:
    engine = RuleEngine(PLAN)
    minutes(engine, 7, 0.2)
    minutes(engine, 1, None, begin=8)
    assert all(one.action is Action.HOLD for one in minutes(engine, 14, 0.2, begin=9))
    assert minutes(engine, 1, 0.2, begin=23)[0].action is Action.IN


def test_minutes_without_a_sample_are_missing_minutes() -> None:
    engine = RuleEngine(PLAN)
    minutes(engine, 14, 0.2)
    assert minutes(engine, 1, 0.2, begin=17)[0].action is Action.HOLD


def test_four_of_five_minutes() -> None:
    engine = RuleEngine(replace(PLAN, out_any=[parse_condition("CPU > 70% for 4 of 5 minutes")]))
    minutes(engine, 2, 0.9)
    minutes(engine, 1, 0.1, begin=3)
    assert minutes(engine, 2, 0.9, begin=4)[-1].action is Action.OUT


def test_connections_are_a_share_of_what_the_running_tasks_hold() -> None:
    engine = RuleEngine(PLAN)
    engine.observe(sample(1, 2, 0.5, sockets=401))
    assert engine.decide(60, 2).reason == "Active connections > 80% capacity"
    engine.observe(sample(2, 3, 0.5, sockets=401))
    assert engine.decide(120, 3).action is Action.HOLD


def test_not_in_when_that_would_bring_the_load_over_the_threshold() -> None:
    policy = replace(PLAN, in_all=[parse_condition("CPU < 60%")], lowest=1)
    engine = RuleEngine(policy)
    engine.observe(sample(1, 2, 0.4))
    decision = engine.decide(60, 2)
    assert decision.action is Action.HOLD and "with 1 tasks 'CPU > 70% for 5 minutes' would be met" in decision.reason


def test_nothing_during_a_deployment() -> None:
    engine = RuleEngine(PLAN)
    minutes(engine, 5, 0.9)
    engine.last_out_s = float("-inf")
    assert engine.decide(300, 4, deploying=True).reason.endswith("a deployment is going on")


def test_fewer_than_the_minimum_are_corrected_at_once_and_more_than_the_maximum_are_left_alone() -> None:
    engine = RuleEngine(PLAN)
    assert engine.decide(0, 1) == Decision(Action.OUT, 2, "2 is the minimum")
    minutes(engine, 5, 0.9)
    assert engine.decide(300, 12).action is Action.HOLD


@pytest.mark.parametrize("back_s", [0.0, 1.0, 3600.0])
def test_a_clock_that_stands_still_or_goes_back_adds_no_sample(back_s: float) -> None:
    engine = RuleEngine(PLAN)
    minutes(engine, 4, 0.9)
    assert not engine.observe(replace(sample(4, 4, 0.9), at_s=240 - back_s))
    assert engine.decide(240, 4).action is Action.HOLD


LIMITS = st.integers(0, 100).map(lambda number: number / 100)


@st.composite
def conditions(draw: st.DrawFn, op: str) -> Condition:
    metric = draw(st.sampled_from([Watched.CPU, Watched.MEMORY, Watched.CONNECTIONS]))
    window = draw(st.integers(0, 6)) * 60.0
    held = draw(st.integers(1, int(window // 60))) * 60.0 if window else 0.0
    return Condition(metric, op, draw(LIMITS), metric is Watched.CONNECTIONS, held, window)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    lowest = draw(st.integers(1, 5))
    return Policy(
        out_any=draw(st.lists(conditions(">"), max_size=3)),
        in_all=draw(st.lists(conditions("<"), max_size=3)),
        lowest=lowest,
        highest=lowest + draw(st.integers(0, 8)),
        step=draw(st.integers(1, 4)),
        cooldown_out_s=draw(st.integers(0, 6)) * 60.0,
        cooldown_in_s=draw(st.integers(0, 8)) * 60.0,
        connections_per_task=draw(st.integers(1, 300)),
    )


VALUES = st.one_of(st.none(), st.floats(0, 1))


@dataclass
class Minute:
    """One minute of a trace; `gap` more minutes than one pass before it."""

    cpu: float | None
    memory: float | None
    sockets: float | None
    gap: int
    deploying: bool


MINUTES = st.builds(
    Minute,
    VALUES,
    VALUES,
    st.one_of(st.none(), st.floats(0, 3000)),
    st.sampled_from([0, 0, 0, 0, 1, 30]),
    st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(policies(), st.lists(MINUTES, max_size=60), st.data())
def test_no_rules_on_no_trace_break_the_promises(policy: Policy, trace: list[Minute], data: st.DataObject) -> None:
    """Bounds hold, cooldowns hold, nothing happens during a deployment, and missing data never scale in."""
    engine, now_s, desired = RuleEngine(policy), 0.0, data.draw(st.integers(policy.lowest, policy.highest))
    steps: list[tuple[float, Action]] = []
    history: list[tuple[float, Minute]] = []
    longest = max((each.samples(60)[1] for each in policy.in_all), default=1)
    for minute in trace:
        now_s += 60.0 * (1 + minute.gap)
        engine.observe(sample(now_s / 60, desired, minute.cpu, minute.memory, minute.sockets))
        history.append((now_s, minute))
        decision = engine.decide(now_s, desired, deploying=minute.deploying)
        assert policy.lowest <= decision.desired <= policy.highest
        assert abs(decision.desired - desired) <= policy.step
        assert (decision.action is Action.HOLD) == (decision.desired == desired)
        if decision.action is Action.HOLD:
            continue
        assert not minute.deploying
        outs = [at_s for at_s, action in steps if action is Action.OUT]
        if decision.action is Action.OUT:
            assert not outs or now_s - outs[-1] >= policy.cooldown_out_s
        else:
            assert not steps or now_s - steps[-1][0] >= policy.cooldown_in_s
            newest = [one for at_s, one in history if at_s > now_s - 60 * longest]
            assert len(newest) == longest, "minutes were left out"
            for each in policy.in_all:
                names = {Watched.CPU: "cpu", Watched.MEMORY: "memory", Watched.CONNECTIONS: "sockets"}
                window = newest[-each.samples(60)[1] :]
                assert all(getattr(one, names[each.metric]) is not None for one in window)
        engine.acted(decision.action, now_s)
        steps.append((now_s, decision.action))
        desired = decision.desired


BOTH = [parse_condition(one) for one in (*OUT, *IN)]
MEASURED = st.one_of(st.none(), st.floats(0, 1))
ROWS = st.lists(st.tuples(MEASURED, MEASURED, st.floats(0, 2000)), min_size=1, max_size=40)


def seen(engine: RuleEngine) -> list[tuple[int, int, bool]]:
    return [(one.holding, one.missing, one.met) for one in engine.standings()]


@given(ROWS)
def test_what_is_read_again_in_one_go_is_what_was_observed_one_by_one(rows: list[tuple[float, float, float]]) -> None:
    """As long as the newest datapoints are there: late ones are the only difference."""
    rows = [*rows, (0.5, 0.5, 100.0)]
    samples = [sample(minute, 4, *row) for minute, row in enumerate(rows, 1)]
    observed, again = RuleEngine(PLAN), RuleEngine(PLAN)
    for each in samples:
        observed.observe(each)
    again.replay(samples, samples[-1].at_s)
    assert seen(again) == seen(observed)


@given(ROWS, st.integers(0, 5), st.integers(0, 5))
def test_datapoints_that_come_late_are_waited_for_and_not_missed(
    rows: list[tuple[float, float, float]], cpu_late: int, memory_late: int
) -> None:
    """Each condition stands as it did when the newest datapoint of its metric was the newest period."""
    rows = [*rows, *[(0.5, 0.5, 100.0)] * 6]
    samples = [sample(minute, 4, *row) for minute, row in enumerate(rows, 1)]
    late = [
        replace(each, values={
            Watched.CPU: None if number >= len(samples) - cpu_late else each.values[Watched.CPU],
            Watched.MEMORY: None if number >= len(samples) - memory_late else each.values[Watched.MEMORY],
            Watched.CONNECTIONS: each.values[Watched.CONNECTIONS],
        })
        for number, each in enumerate(samples)
    ]  # fmt: skip
    engine = RuleEngine(PLAN)
    engine.replay(late, samples[-1].at_s)
    assert engine.no_data == ()
    for metric, delay in ((Watched.CPU, cpu_late), (Watched.MEMORY, memory_late), (Watched.CONNECTIONS, 0)):
        prompt = RuleEngine(PLAN)
        prompt.replay(samples[: len(samples) - delay], samples[-1].at_s)
        for now, then in zip(engine.standings(), prompt.standings(), strict=True):
            assert now.condition.metric is not metric or now == then


@pytest.mark.parametrize(("age_minutes", "action"), [(5, Action.OUT), (6, Action.HOLD)])
def test_data_that_is_too_old_decides_nothing_and_is_named(age_minutes: int, action: Action) -> None:
    engine = RuleEngine(PLAN)
    samples = [sample(minute, 4, 0.9, None, None) for minute in range(1, 11)]
    now_s = 600 + age_minutes * 60
    engine.replay(samples, now_s)
    decision = engine.decide(now_s, 4)
    assert decision.action is action
    if action is Action.HOLD:
        assert decision.reason == "no data: CPU, memory, active connections"
        assert set(decision.no_data) == {Watched.CPU, Watched.MEMORY, Watched.CONNECTIONS}
        assert all(one.value is None and not one.met for one in engine.standings())


def test_a_step_is_not_repeated_on_what_led_to_it() -> None:
    """Without any cooldown: the samples of before a step say nothing about what it has changed."""
    engine = RuleEngine(replace(PLAN, cooldown_out_s=0, cooldown_in_s=0))
    hot = [sample(minute, 4, 0.9) for minute in range(1, 11)]
    engine.replay(hot, 630)
    assert engine.decide(630, 4).action is Action.OUT
    engine.acted(Action.OUT, 630)
    engine.replay(hot, 690)
    assert engine.decide(690, 5).reason.endswith("nothing newer than the last step is known yet")
    engine.replay([*hot, sample(11, 5, 0.9)], 720)
    assert engine.decide(720, 5).action is Action.OUT
