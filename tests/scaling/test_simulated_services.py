"""Several services in one simulation: each by itself, together where room is short, and out of recordings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.cli.scale.simulate.together import is_of_services, rates_by, rates_given, recorded, shaped, taking_part
from dbz.config.phases.file import load_phases
from dbz.errors import ConfigError, UsageError
from dbz.scaling.decide.policies import rules_of
from dbz.scaling.simulate.recorded_services import recorded_by_run
from dbz.scaling.simulate.simulator import ByRules, Fixed, Player, TaskRoom, simulate, simulate_together
from dbz.scaling.simulate.traces import Trace
from dbz.scaling.size.sizing import MeasuredService, MeasuredTask

PLAN = load_phases()
LOADS = st.lists(st.floats(0, 6), min_size=1, max_size=6).map(
    lambda levels: [one for one in levels for _ in range(400)]
)


def trace(demand: list[float]) -> Trace:
    return Trace("made", demand, [None] * len(demand))


def rules() -> ByRules:
    return ByRules(rules_of(PLAN, 1, 20))


@settings(deadline=None, max_examples=30)
@given(LOADS, LOADS)
def test_without_a_room_each_is_as_if_it_were_alone(one: list[float], other: list[float]) -> None:
    players = [Player("a", rules(), trace(one), 2), Player("b", rules(), trace(other), 1)]
    together = simulate_together(players, per_task=250)
    alone = [simulate("a", rules(), trace(one), 2, per_task=250), simulate("b", rules(), trace(other), 1, per_task=250)]
    assert together == alone


@settings(deadline=None, max_examples=30)
@given(LOADS, LOADS, st.integers(0, 12))
def test_a_room_is_never_overfull_and_a_large_one_changes_nothing(
    one: list[float], other: list[float], free: int
) -> None:
    def played(room: TaskRoom | None) -> list[list[int]]:
        players = [Player("a", rules(), trace(one), 2), Player("b", rules(), trace(other), 1)]
        return [result.running for result in simulate_together(players, per_task=250, room=room)]

    short, wide = played(TaskRoom(free)), played(TaskRoom(1000))
    assert wide == played(None)
    most = min(map(len, short))
    assert all(short[0][at] + short[1][at] <= 3 + free for at in range(most))


def test_who_comes_first_gets_the_place_and_who_waits_pays_nothing_for_it() -> None:
    busy, later = [5.0] * 1200, [1.0] * 1200

    class Asks(Fixed):
        def decide(self, sample, desired):  # type: ignore[no-untyped-def]
            return super().decide(sample, desired)

    players = [Player("high", Asks(3, 60), trace(busy), 1), Player("low", Asks(3, 60), trace(later), 1)]
    high, low = simulate_together(players, per_task=250, start_delay_s=0, room=TaskRoom(3))
    assert (high.running[-1], low.running[-1]) == (3, 2)
    assert high.waited_s == 0 and low.waited_s == 1200 - 59
    assert low.task_hours == pytest.approx(sum(low.running) / 3600, rel=0.01)


CSV = """time,requests{service=chat},cpu{service=game},tasks{service=game}
0,10,50,2
60,20,80,2
120,20,80,2
"""
MEASURED = MeasuredTask(
    "x", 1, 10, 5.0, 20.0, None,
    (
        MeasuredService("gateway", 1, 0.5),
        MeasuredService("chat", 2, 0.8, 12.0, 8.0),
        MeasuredService("game", 1, 0.1, 5.0, 4.0),
        MeasuredService("media", 1, 0.01, 0.0, None),
    ),
)  # fmt: skip


def test_columns_of_a_file_are_recordings_of_services(tmp_path: Path) -> None:
    file = tmp_path / "all.csv"
    file.write_text(CSV)
    assert is_of_services([str(file)], tmp_path)
    found = recorded([str(file)], rates_by(PLAN, None, rates_given("chat=10/s,game=99/s")), None, tmp_path)
    assert {name: [one.demand[0], one.demand[60]] for name, one in found.items()} == {
        "chat": [1.0, 2.0], "game": [1.0, 1.6],
    }  # fmt: skip


def test_a_file_for_each_service_and_what_does_not_go_together(tmp_path: Path) -> None:
    for name, begin in (("chat", 0), ("game", 0), ("late", 300)):
        (tmp_path / f"{name}.csv").write_text(f"time,requests\n{begin},10\n{begin + 60},20\n{begin + 120},20\n")
    rates = rates_by(PLAN, MEASURED, {})

    def read(*names: str) -> dict[str, Trace]:
        return recorded([f"{name}={tmp_path / name}.csv" for name in names], rates, None, tmp_path)

    # Of chat two tasks as busy as the busiest one answered 8 requests a second.
    assert [round(value or 0, 3) for value in read("chat", "game")["chat"].demand[::60]] == [2.0, 4.0, 4.0]
    with pytest.raises(UsageError, match="how many requests a task of late carries is not known"):
        read("chat", "late")
    (tmp_path / "game.csv").write_text((tmp_path / "late.csv").read_text())
    with pytest.raises(ConfigError, match="begins 300 s after that of chat"):
        read("chat", "game")
    (tmp_path / "mixed.csv").write_text("time,requests{service=chat},connections\n0,1,2\n1,1,2\n")
    with pytest.raises(ConfigError, match="column 'connections' says no service"):
        is_of_services([str(tmp_path / "mixed.csv")], tmp_path)


def test_the_record_of_a_run_is_a_recording_of_its_services() -> None:
    lines = [
        {"t": 1.0, "services": {"chat": {"processes": 2, "cores": 0.5, "calls": 3.0}}},
        {"t": 2.0, "services": {"chat": {"processes": 2, "cores": 2.5, "calls": 3.0}}},
        {"t": 3.0},
    ]
    assert recorded_by_run(lines)["chat"].split() == ["time,cpu,tasks", "1.0,25.00,2", "2.0,100.00,2"]


def test_a_shape_gives_each_service_its_share_and_those_of_a_high_priority_come_first() -> None:
    """The phase asks for 333 requests a second, 16.7 times what was measured, of as many tasks as chat had."""
    phase = PLAN.phase("phase_3")
    traces = shaped("spike", PLAN, phase, MEASURED, 1)
    assert set(traces) == {"gateway", "chat", "game"}  # media had nothing to do
    factor = phase.requests / 20
    for name, busy in (("gateway", 0.5 / 0.5), ("chat", 0.8 / 0.5), ("game", 0.1 / 0.5)):
        top = max(value or 0 for value in traces[name].demand)
        assert top == pytest.approx(busy * factor, rel=0.15)
    order = [(one.name, one.servers.max) for one in taking_part(PLAN, phase, traces)]
    assert order == [("api", 10), ("chat", 20), ("game", 20)]
