"""What a capacity search runs, and what follows from the runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from dbz.config.budgets import load_budgets
from dbz.config.load.profile import load_profile
from dbz.config.phases.file import load_phases
from dbz.errors import UsageError
from dbz.load.capacity.looks import Answer, Length, Tried, Use
from dbz.load.capacity.plan import CapacityPlan, plan_all_levels, plan_at, plan_capacity, plan_run
from dbz.load.capacity.result import conclude_capacity, headroom, step_of, tried_by
from dbz.load.capacity.search import Bounds, Next
from dbz.load.planning.plan import LoadPlan, LoadRequest, plan_load
from dbz.report.html.capacity_page import render_capacity
from dbz.report.words.capacity import fit_text, headroom_text, interval_text
from dbz.runs.capacity import Capacity, CapacityFigures, CapacityStep, ScalabilityFit, StepOutcome
from dbz.runs.schema import Machine, RunVerdict
from tests.runs.capacities import budget, first_run, made_run, made_step, searched


def planned(
    start: int | None = None,
    highest: int | None = None,
    step_s: float = 20,
    within_s: float | None = None,
    **profile: Any,
) -> CapacityPlan:
    changed = load_profile("mixed", profile)
    plan = LoadPlan(changed, "", "scenario.py", load_budgets(changed.budgets), embedded=True)
    return plan_capacity(plan, load_phases(), start, highest, step_s, within_s)


def concluded(*steps: CapacityStep, over: bool = True, interrupted: bool = False) -> Capacity:
    tried = [Tried(step.load, Answer(step.answer)) for step in steps]
    bounds = Bounds(65, 5000)
    return conclude_capacity(first_run(), bounds, load_phases(), steps, tried, over=over, interrupted=interrupted)


def test_the_number_of_users_is_no_budget_of_a_search_for_it() -> None:
    names = [one.name for one in planned().plan.budgets]
    assert "concurrent_users" not in names and "api_response_time" in names


def test_a_search_begins_with_an_eighth_of_the_profile() -> None:
    assert planned().bounds == Bounds(65, 5000)
    assert planned(rate="80/s").bounds == Bounds(10, 20_000)
    assert planned(start=7, highest=9).bounds == Bounds(7, 9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": 9, "highest": 8}, "--start 9 is more than --max 8"),
        ({"shape": "spike"}, "changes its load by itself"),
        ({"step_s": 0.5}, "--step-duration must be at least 1s"),
        ({"within_s": 19}, "--within must be at least --step-duration"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        planned(**arguments)


def test_a_step_is_the_same_load_at_another_size() -> None:
    plan = planned()
    assert [plan_at(plan, load).profile.users for load in (65, 520, 1300)] == [65, 520, 1300]
    assert plan.users_per_s == pytest.approx(520 / 8)


def test_the_stack_has_the_clubs_of_the_most_users() -> None:
    assert plan_all_levels(planned(highest=1300)).profile.stack.clubs == 8
    own = planned(highest=1300)
    own = replace(own, plan=replace(own.plan, embedded=False))
    assert plan_all_levels(own) is own.plan


def test_what_the_answer_rests_on_is_looked_at_for_longer() -> None:
    lengths = (Length.BRIEF, Length.FULL)
    assert [planned().length_s(one) for one in lengths] == [5, 20]
    assert [planned(step_s=2).length_s(one) for one in lengths] == [2, 2]


def test_a_search_ends_after_twenty_steps_or_five_minutes_or_when_one_wants() -> None:
    assert [planned(step_s=step_s).within_s for step_s in (3, 15, 30)] == [300, 300, 600]
    assert planned(within_s=60).within_s == 60


def test_with_a_rate_the_rate_is_scaled() -> None:
    one = plan_run(planned(rate="80/s"), 240, Length.FULL).profile
    assert (one.rate, one.users, one.stack.clubs, one.duration, one.warmup) == (240, 520, 3, 20, 10)


def test_a_bare_url_is_asked_for_at_growing_rates_and_must_keep_up() -> None:
    bare = plan_capacity(plan_load(LoadRequest("http://127.0.0.1:1/x")), load_phases(), None, None, 20)
    assert bare.scales_rate and bare.bounds.start == 50
    step = plan_run(bare, 300, Length.BRIEF)
    assert (step.profile.rate, step.profile.users, step.profile.duration) == (300, 500, 5)
    assert [one.name for one in step.budgets] == [
        "error_rate",
        "doubtful_answers",
        "response_time",
        "uptime",
        "goodput",
    ]
    assert step.budgets[-1].limit.value == pytest.approx(297) and step.budgets[-1].required
    assert plan_at(bare, 3000).profile.users == 3000
    told = plan_load(LoadRequest("http://127.0.0.1:1/x", overrides={"budgets": "service"}))
    assert not plan_capacity(told, load_phases(), None, None, 20).scales_rate


def test_the_law_has_no_peak_beyond_what_was_measured() -> None:
    fit = ScalabilityFit(
        lambda_=0.2, sigma=0.0, kappa=1e-6, r_squared=1.0, points=5, what="requests", peak_users=None, peak_per_s=None
    )
    assert fit_text(fit, 500).endswith("no peak up to 500 users, the most that was measured")
    within = fit.model_copy(update={"peak_users": 400.0, "peak_per_s": 70.0})
    assert "peak 70 requests/s at 400 users" in fit_text(within, 500)
    assert "70" not in fit_text(within, 300)


def test_connections_and_requests_keep_their_share() -> None:
    one = plan_at(planned(connections=260, requests="52/s"), 1040).profile
    assert (one.users, one.connections, one.requests) == (1040, 520, 104)


def test_throughput_counts_attempts_but_not_twice() -> None:
    step = made_step(100)
    assert (step.attempts_per_s, step.requests_per_s, step.connections) == (120, 20, 50)


def test_the_tightest_budget_is_named_with_its_share() -> None:
    step = step_of(made_run(10, budget(100), budget(80, name="chat", limit=100)), Next(10, 0))
    assert (step.answer, step.tightest, step.used) == ("holds", "chat", 0.8)


def test_broken_budgets_stand_worst_first_and_failed_ones_before_all() -> None:
    budgets = [budget(600), budget(None, name="failed"), budget(900, name="chat", limit=100), budget(1, name="fine")]
    step = step_of(made_run(10, *budgets), Next(10, 0))
    assert [one.name for one in step.broken] == ["failed", "chat", "api_response_time"]
    assert (step.answer, step.used) == ("breaks", None)


def test_a_look_tells_the_search_how_near_the_limit_was_or_by_how_much_it_was_missed() -> None:
    goodput = budget(90, name="goodput", limit=99).model_copy(update={"op": ">=", "reason": "goodput is too low"})
    looks = [[budget(600), budget(900, name="chat", limit=100)], [budget(60)], [budget(None)], [budget(250), goodput]]
    step = Next(10, 0)
    tried = [tried_by(step, step_of(made_run(10, *budgets), step)) for budgets in looks]
    shares = [{use.budget: round(math.exp(use.log), 4) for use in look.uses} for look in tried]
    assert shares == [
        {"api_response_time": 1.2, "chat": 9},
        {"api_response_time": 0.12},
        {"api_response_time": math.inf},
        {"api_response_time": 0.5, "goodput": math.inf},
    ]


def test_the_rate_that_was_reached_of_the_asked_one_says_where_the_limit_is() -> None:
    goodput = budget(300, name="goodput", limit=0.99 * 400).model_copy(update={"op": ">=", "reason": "too low"})
    step = Next(400, 0)
    (use,) = tried_by(step, step_of(made_run(400, goodput), step)).uses
    assert use.reached and step.load / math.exp(use.log) == pytest.approx(300 / 0.99)


def test_a_budget_that_only_warns_is_no_limit() -> None:
    warned = budget(600).model_copy(update={"effect": "warn", "reason": ""})
    step = Next(10, 0)
    assert tried_by(step, step_of(made_run(10, warned, budget(60, name="chat", limit=100)), step)).uses == (
        Use("chat", pytest.approx(math.log(0.6))),
    )


def test_few_samples_say_less_than_many() -> None:
    """The interval of a value says how far it may be off by chance; one that is open says that of one end."""
    step, errors = Next(10, 0), []
    for low, high in ((450, 550), (250, 1000), (250, None), (0.0, None), (None, None)):
        one = budget(480).model_copy(update={"low": low, "high": high})
        errors.append(tried_by(step, step_of(made_run(10, one), step)).uses[0].error)
    assert errors[4] == 0 < errors[0] < 0.06 < errors[1] < errors[2] < errors[3]


def test_a_search_that_ran_out_of_time_says_how_unsure_it_is() -> None:
    steps = [made_step(65), made_step(130), made_step(260, 600)]
    tried = [Tried(step.load, Answer(step.answer)) for step in steps]
    bounds, first = Bounds(65, 5000), first_run()

    def ended(out_of_time: str, upto: int = 3) -> Capacity:
        given = steps[:upto], tried[:upto]
        return conclude_capacity(
            first, bounds, load_phases(), *given, over=True, interrupted=False, out_of_time=out_of_time
        )

    assert "no longer than 5m: with more of it (--within) they come closer" in ended("5m").notes[0]
    assert "--step-duration" in ended("").notes[0]
    assert ended("5m", 2).statement == "All budgets hold at 130 users, the most that could be tried within 5m."
    assert searched().notes == []


def test_what_breaks_while_something_else_has_the_machine_is_no_fault_of_the_server() -> None:
    taken = Machine(cores=2, own_percent=20, others_percent=70, steal_percent=0)
    run = made_run(10, budget(600)).model_copy(update={"machine": taken})
    step = step_of(run, Next(10, 0))
    assert step.answer == "undecided"
    assert step.reasons[0] == "the machine was busy with something else: others used 70 % of 2 cores"
    assert "cannot be decided here: the machine was busy" in concluded(made_step(5), step).statement
    some = run.model_copy(update={"machine": taken.model_copy(update={"others_percent": 40})})
    assert step_of(some, Next(10, 0)).answer == "breaks"
    assert step_of(made_run(10, budget(60)).model_copy(update={"machine": taken}), Next(10, 0)).answer == "holds"


def test_a_generator_at_its_limit_decides_nothing() -> None:
    run = made_run(10, budget(600), verdict=RunVerdict.INVALID, reasons=("the load generator was saturated",))
    assert step_of(run, Next(10, 0)).answer == "undecided"


def test_arrivals_dropped_by_users_who_wait_for_a_slow_server_are_the_servers_fault() -> None:
    dropped = {"verdict": RunVerdict.INVALID, "reasons": ("the asked rate was not reached",), "dropped": 50}
    assert step_of(made_run(10, budget(600), **dropped), Next(10, 0)).answer == "breaks"
    assert step_of(made_run(10, budget(60), **dropped), Next(10, 0)).answer == "undecided"
    two = {**dropped, "reasons": ("the asked rate was not reached", "saturated")}
    assert step_of(made_run(10, budget(600), **two), Next(10, 0)).answer == "undecided"


def test_a_search_finds_what_the_server_can_do() -> None:
    found = searched(threshold=1000)
    assert found.outcome is StepOutcome.FOUND and found.capacity is not None and found.limit is not None
    assert found.capacity.load < 1000 <= found.limit
    assert found.capacity.requests_per_s == pytest.approx(found.capacity.load / 5)
    assert [one.name for one in found.broken] == ["api_response_time"]
    assert (
        found.statement
        == f"All budgets hold up to {found.capacity.load:,} users; they do not at {found.limit:,} users."
    )
    assert found.api_servers == 1
    assert found.between is not None and found.between.low < 1000 < found.between.high < 1.3 * found.between.low
    assert interval_text(found).startswith("By all looks together, the limit is between ")


def test_the_phases_are_compared_with_all_that_was_measured() -> None:
    phases = {row.phase: row for row in searched(threshold=1000).phases}
    assert list(phases) == ["current", "phase_1", "phase_2", "phase_3"]
    assert phases["phase_1"].lowest is not None and phases["phase_1"].lowest > 1
    assert phases["phase_2"].by in ("users", "connections") and (phases["phase_2"].lowest or 2) < 1


def test_what_the_load_had_none_of_is_not_compared() -> None:
    figures = CapacityFigures(load=50, users=9, rate_per_s=50.0, attempts_per_s=50, requests_per_s=50, connections=0.0)
    row = headroom(figures, load_phases().phase("phase_1"))
    assert (row.users, row.connections, row.lowest, row.by) == (None, None, None, "")
    assert row.requests == pytest.approx(50 * 60 / 2500)
    assert headroom_text(concluded(), row) == "not measured: no users and connections were loaded"


def test_all_that_was_tried_holding_is_at_least_that() -> None:
    found = searched(highest=200)
    assert (found.outcome, found.limit) == (StepOutcome.AT_LEAST, None)
    assert found.statement == "All budgets hold at 200 users, the most that was to be tried."


def test_where_the_generator_gave_up_the_answer_is_at_least() -> None:
    run = made_run(130, verdict=RunVerdict.INVALID, reasons=("the load generator was saturated",))
    found = concluded(made_step(65), step_of(run, Next(130, 0)))
    assert found.outcome is StepOutcome.AT_LEAST and found.broken == []
    assert "130 users cannot be decided here: the load generator was saturated." in found.statement


def test_nothing_holding_and_nothing_decided_are_told_apart() -> None:
    undecided = step_of(made_run(1, verdict=RunVerdict.INVALID, reasons=("saturated",)), Next(1, 0))
    assert concluded(made_step(1, 600)).outcome is StepOutcome.NOTHING_HOLDS
    assert concluded(undecided).outcome is StepOutcome.UNDECIDED


def test_an_interrupted_search_says_what_is_known() -> None:
    found = concluded(made_step(65), made_step(130, 600), over=False, interrupted=True)
    assert found.outcome is StepOutcome.INTERRUPTED
    assert found.capacity is not None and found.capacity.load == 65
    assert found.statement == "Stopped early; so far, all budgets hold at 65 users, and not at 130 users."
    assert concluded(over=False, interrupted=True).statement == "Stopped early; so far, no load is known to hold."


def test_the_law_is_fitted_to_requests_when_there_are_four_loads() -> None:
    fit = searched().scalability
    assert fit is not None and fit.what == "requests"
    assert fit.lambda_ == pytest.approx(0.2) and math.isclose(fit.sigma, 0, abs_tol=1e-9)
    assert concluded(made_step(65), made_step(130), made_step(260)).scalability is None


def test_a_server_that_did_not_recover_is_pointed_out() -> None:
    late = made_step(80).model_copy(update={"recovery_s": 30.0, "recovered": False})
    found = concluded(made_step(65), made_step(130, 600), late)
    note = found.notes[-1]
    assert note.startswith("after 130 users the server did not recover within 30 s: what 80 users showed then")
    assert note in render_capacity(found)


def test_a_machine_that_is_busy_with_something_else_is_pointed_out() -> None:
    steps = [made_step(load).model_copy(update={"others_percent": others}) for load, others in ((65, 3.0), (130, 40.0))]
    assert concluded(*steps[:1]).notes == []
    assert (
        concluded(*steps).notes[0].startswith("the machine was busy with something else at 1 of 2 steps, which took up")
    )
