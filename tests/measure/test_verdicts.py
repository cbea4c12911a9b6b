"""Verdicts with confidence: what is decided, what is not, and what the rules make of it."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.measure.budget.budgets import Budget, Rule, Severity, Treatment, Windows, budget_of, parse_budget
from dbz.measure.budget.measured import Measured
from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.verdicts import (
    Effect,
    Outcome,
    Verdict,
    anything_decided,
    decide,
    judge,
    unmatched_filters,
)
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import HTTP, Series

POSTS = Series(HTTP, "GET /api/posts")


def latency(*milliseconds: float) -> Latency:
    ok = Histogram()
    for value in milliseconds:
        ok.record(round(value * 1000))
    return Latency(ok, Histogram())


def found(*milliseconds: float, **more: Any) -> Measurements:
    return Measurements(seconds=10, latencies={POSTS: latency(*milliseconds)}, **more)


def verdict(budget: Budget, measured: Measurements, windows: list[Measurements] | None = None) -> Verdict:
    return judge([budget], measured, None if windows is None else lambda after_s, length_s: windows)[0]


def p95(limit: str = "< 100ms", **more: Any) -> Budget:
    return parse_budget("it", "http", "p95", limit, **more)


def test_an_interval_that_contains_the_limit_is_inconclusive() -> None:
    spread = found(*(value / 10 for value in range(1, 1001)))
    close = verdict(p95("< 95ms"), spread)
    assert close.outcome is Outcome.INCONCLUSIVE and close.measured is not None
    assert close.measured.low is not None and close.measured.high is not None
    assert close.measured.low < 95 < close.measured.high
    assert "too close to the limit to be sure" in close.sentence
    assert (verdict(p95("< 98ms"), spread).outcome, verdict(p95("< 90ms"), spread).outcome) == ("pass", "broken")


def test_a_few_samples_decide_nothing() -> None:
    few = verdict(p95(), found(1, 2, 3))
    assert few.outcome is Outcome.INCONCLUSIVE and few.note == "too few samples to be sure"


@pytest.mark.parametrize(
    ("treatment", "limit", "effect"),
    [
        (Treatment.VALUE, "< 96ms", Effect.NONE),
        (Treatment.VALUE, "< 95ms", Effect.FAIL),
        (Treatment.FAIL, "< 96ms", Effect.FAIL),
        (Treatment.PASS, "< 95ms", Effect.NONE),
        (Treatment.INVALID, "< 96ms", Effect.INVALID),
    ],
)
def test_the_rule_says_what_an_inconclusive_budget_means(treatment: Treatment, limit: str, effect: Effect) -> None:
    spread = found(*(value / 10 for value in range(1, 1001)))
    close = verdict(p95(limit, rule=Rule(inconclusive=treatment)), spread)
    assert (close.outcome, close.effect) == (Outcome.INCONCLUSIVE, effect)
    assert bool(close.reason) == (effect is not Effect.NONE)


@pytest.mark.parametrize(("treatment", "effect"), [("pass", "none"), ("fail", "fail"), ("invalid", "invalid")])
def test_the_rule_says_what_not_measured_means(treatment: str, effect: str) -> None:
    missing = verdict(p95(rule=Rule(not_measured=Treatment(treatment))), Measurements(seconds=1))
    assert (missing.outcome, missing.effect) == (Outcome.NOT_MEASURED, effect)


def test_a_warning_never_breaks_a_run() -> None:
    slow = verdict(p95("< 1ms", severity="warn"), found(*[50] * 200))
    assert (slow.outcome, slow.effect, slow.breaks_run, slow.reason) == ("broken", "warn", False, "")


def test_fewer_samples_than_asked_for_are_inconclusive_however_clear_they_are() -> None:
    clear = verdict(p95("< 1ms", min_samples=1000), found(*[50] * 999))
    assert (clear.outcome, clear.note) == (Outcome.INCONCLUSIVE, "999 of at least 1,000 samples")


def test_every_window_must_hold_or_the_share_that_is_asked_for() -> None:
    windows = [found(*[10] * 100) for _ in range(19)] + [found(*[500] * 100)]
    whole = found(*[10] * 1900, *[500] * 100)
    every = verdict(p95(window="10s"), whole, windows)
    assert (every.outcome, every.samples) == (Outcome.BROKEN, 100)
    assert "broken in 1 of 20 windows of 10 s" in every.reason
    tolerant = verdict(p95(window="10s in 95%"), whole, windows)
    assert tolerant.outcome is Outcome.PASS and tolerant.value == pytest.approx(10, rel=0.001)


def test_windows_of_a_lower_limit_are_judged_by_the_lowest() -> None:
    budget = parse_budget("it", "users.held", "min", ">= 500", window="5s")
    windows = [Measurements(seconds=5, gauges={"users.held": [held] * 5}) for held in (520, 480, 510)]
    assert (verdict(budget, windows[0], windows).outcome, verdict(budget, windows[0], windows).value) == ("broken", 480)


def test_what_was_not_measured_is_judged_by_what_stands_for_it() -> None:
    budget = parse_budget("it", "composite{name=page_load}", "p95", "< 2s", instead="p50 of import.page_load")
    imported = Measurements(seconds=0, gauges={"import.page_load": [1500.0, 1700, 2500]})
    other = verdict(budget, imported)
    assert (other.value, str(other.budget.of), other.budget.stat) == (1700, "import.page_load", "p50")
    assert verdict(budget, Measurements(seconds=0)).budget.stat == "p95"


def test_without_a_baseline_a_relative_limit_is_not_measured() -> None:
    missing = verdict(parse_budget("it", "http", "p95", against="baseline +10%", required=True), found(*[5] * 100))
    assert missing.outcome is Outcome.NOT_MEASURED and missing.breaks_run
    assert missing.reason == "it: required, but http was not measured: no baseline was given to compare with"


def test_apdex_counts_satisfied_and_half_of_the_tolerating() -> None:
    measured = found(*[100] * 50, *[1000] * 30, *[5000] * 20)
    score = verdict(parse_budget("it", "http", "apdex(500ms)", ">= 0.5"), measured)
    assert score.value == pytest.approx(0.65) and score.outcome is Outcome.PASS


# ---- the grammar ----------------------------------------------------------------------------------------------------

durations = st.integers(1, 600).map(lambda seconds: f"{seconds}s")
entries = st.fixed_dictionaries(
    {
        "of": st.sampled_from(["http", 'http{op="GET *", op!="GET /media/*"}', "delivery{event=chat}", "composite"]),
        "stat": st.sampled_from(["mean", "p50", "p99.99", "max", "apdex(1s)"]),
    },
    optional={
        "window": st.tuples(durations, st.sampled_from(["", " in 95%", " in 99.9%"])).map("".join),
        "after": durations,
        "abort_after": durations,
        "min_samples": st.integers(0, 10**6),
        "rule": st.builds(
            Rule, st.sampled_from(Treatment), st.sampled_from(["pass", "fail", "invalid"]).map(Treatment)
        ),
    },
)


@given(entries, st.sampled_from(["limit", "against"]), st.booleans())
def test_a_budget_survives_being_written_down(entry: dict[str, Any], kind: str, required: bool) -> None:
    apdex = entry["stat"].startswith("apdex")
    limit = {"limit": ">= 0.9" if apdex else "< 250ms"} if kind == "limit" else {"against": "baseline +7.5%"}
    budget = parse_budget("it", **entry, **limit, required=required)
    again = budget_of("it", budget.terms, required=required)
    assert str(again.limit) == str(budget.limit)
    assert (again.of, again.stat, again.windows, again.rule) == (budget.of, budget.stat, budget.windows, budget.rule)
    assert (again.after_s, again.abort_after_s, again.min_samples, again.required) == (
        budget.after_s,
        budget.abort_after_s,
        budget.min_samples,
        required,
    )


@given(st.text(max_size=30), st.sampled_from(["of", "stat", "limit", "against", "window", "after", "instead"]))
def test_any_text_is_read_or_refused_with_a_message(text: str, key: str) -> None:
    terms = {"of": "http", "stat": "p95", "limit": "< 1s", key: text}
    if key == "against" and text:
        del terms["limit"]
    with contextlib.suppress(ValueError):
        assert parse_budget("it", **terms).name == "it"


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({}, "needs either 'limit', like '< 500ms', or 'against'"),
        ({"limit": "< 1s", "against": "baseline +5%"}, "needs either 'limit'"),
        ({"against": "10% over baseline"}, "write for example 'baseline \\+10%'"),
        ({"limit": "< 1s", "window": "10"}, "not a duration; write for example"),
        ({"limit": "< 1s", "window": "10s in 0%"}, "above 0% and at most 100%"),
        ({"limit": "< 1s", "window": "100ms"}, "'window' is at least 1s"),
        ({"limit": "< 1s", "abort_after": "0s"}, "'abort_after' is at least 1s"),
        ({"limit": "< 1s", "severity": "warn", "abort_after": "5s"}, "must not"),
        ({"limit": "< 1s", "severity": "error"}, "allowed: fail, warn"),
        ({"limit": "< 1s", "instead": "import.page_load"}, "write for example 'p50 of import.page_load'"),
        ({"limit": "< 1s", "instead": "max of import.mobile_memory"}, "not given in the same unit"),
        ({"limit": "< 1s", "of": "import.page_load", "window": "5s"}, "does not fit import.page_load"),
        ({"limit": "> 0.9", "stat": "apdex(soon)"}, "'soon' is not a duration"),
        ({"limit": "> 0.9", "stat": "apdex(0s)"}, "needs a time above 0"),
        ({"limit": "< 1s", "of": 'http{op="a" op="b"}'}, "not a list of filters; write for example http{op="),
        ({"limit": "< 1%", "of": "users.held{op=x}"}, "it has no parts"),
    ],
)
def test_a_refusal_names_what_is_allowed(terms: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_budget("it", **{"of": "http", "stat": "p95", **terms})


def test_windows_and_severities_are_read() -> None:
    budget = p95(window="1m30s in 99.5%", severity="warn")
    assert (budget.windows, budget.severity) == (Windows(90, 0.995), Severity.WARN)


@pytest.mark.parametrize(
    ("op", "says"),
    [
        ("GET /api/postz", "no op is called GET /api/postz; did you mean GET /api/posts?"),
        ("POST *", "no op is called POST *; there is GET /api/posts"),
    ],
)
def test_a_filter_that_takes_nothing_is_named_with_the_nearest_operation(op: str, says: str) -> None:
    budget = parse_budget("misspelt", f'http{{op="{op}"}}', "p95", "< 1ms", required=True)
    one = verdict(budget, found(5))
    assert (one.outcome, one.note) == (Outcome.NOT_MEASURED, says)
    assert one.reason.endswith(f"was not measured: {says}")
    assert unmatched_filters([budget, p95()], found(5)) == [f"misspelt: {says}"]
    assert not anything_decided([one]) and anything_decided([one, verdict(p95(), found(5))])


def test_a_filter_is_not_called_misspelt_where_nothing_of_its_metric_was_measured() -> None:
    assert unmatched_filters([parse_budget("chat", "delivery{event=chat}", "p95", "< 1s")], found(5)) == []


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(50.0, 90.0, Outcome.PASS), (120.0, math.inf, Outcome.BROKEN), (50.0, math.inf, Outcome.NOT_MEASURED)],
)
def test_a_value_that_is_only_known_to_lie_between_two_others_decides_by_both(
    low: float, high: float, outcome: Outcome
) -> None:
    one = decide(p95("< 100ms"), Measured(low, 1000, low, high, only_known="nobody counted"))
    assert one.outcome is outcome
    if outcome is Outcome.NOT_MEASURED:
        assert (one.measured, one.note) == (None, "only from 50 ms is known, since nobody counted")
