"""Budgets about pages: each page is judged by itself, beside what else a budget is about."""

import pytest

from dbz.measure.budget.budgets import Budget, budget_of, parse_budget
from dbz.measure.budget.by_page import for_pages
from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.verdicts import judge
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.series import COMPOSITE, PAGE, Series
from tests.measure.test_metrics import latency

OR = ["p50 of page", "p50 of import.page_load"]


def load_time(**more: object) -> Budget:
    return parse_budget("load", "composite{name=page_load*}", "p95", "< 2s", instead=OR, **more)


def judged(budgets: list[Budget], **latencies: Latency) -> dict[str, tuple[str, float | None]]:
    series = {"composite": Series(COMPOSITE, "page_load"), "a": Series(PAGE, "/a"), "b": Series(PAGE, "/b")}
    found = Measurements(seconds=10, latencies={series[name]: one for name, one in latencies.items()})
    return {one.budget.name: (one.effect.value, one.value) for one in judge(budgets, found)}


def test_a_quick_page_does_not_make_a_slow_one_good_and_screens_are_judged_beside_them():
    budgets = for_pages([load_time()], ["/a", "/b"])
    found = judged(budgets, composite=latency([100] * 50), a=latency([10] * 50), b=latency([3000] * 9))
    assert {name: effect for name, (effect, _) in found.items()} == {
        "load": "none",
        "load /a": "none",
        "load /b": "fail",
    }
    slow_screen = judged(budgets, composite=latency([3000] * 50), a=latency([10] * 50), b=latency([10] * 9))
    assert {name: effect for name, (effect, _) in slow_screen.items()} == {
        "load": "fail", "load /a": "none", "load /b": "none"
    }  # fmt: skip


def test_what_only_pages_were_measured_of_is_not_said_to_be_unmeasured():
    budgets = for_pages([load_time(required=True)], ["/a"])
    assert judged(budgets, a=latency([10] * 9)) == {"load /a": ("none", pytest.approx(10, rel=0.002))}
    assert judged(budgets) == {"load": ("fail", None), "load /a": ("fail", None)}, (
        "required, and nothing of it is there"
    )


def test_a_failed_visit_is_no_quick_one():
    budgets = for_pages([load_time()], ["/a"])
    failed = latency([10], failed=2)
    assert judged(budgets, a=failed)["load /a"] == ("fail", float("inf"))


def test_budgets_about_pages_become_one_for_each_that_they_take():
    lcp = parse_budget("lcp", "page.lcp", "p50", "< 2.5s", window="10s")
    one = parse_budget("one", 'page{url="/b*"}', "max", "< 1s")
    none = parse_budget("none", "page{url=/x}", "max", "< 1s")
    http = parse_budget("http", "http", "p95", "< 1s")
    names = [budget.name for budget in for_pages([lcp, one, none, http], ["/a", "/b"])]
    assert names == ["lcp /a", "lcp /b", "one", "none", "http"]
    assert for_pages([lcp, one, http], []) == [lcp, one, http]
    assert for_pages([lcp], ["/a"]) == [lcp]


def test_budgets_of_pages_are_written_down_so_that_a_killed_run_can_be_judged():
    for budget in for_pages([load_time(abort_after="5s")], ["/a", "/b?x=*"]):
        again = budget_of(budget.name, budget.terms, required=budget.required)
        assert (str(again.of), again.stat, again.limit) == (str(budget.of), budget.stat, budget.limit)
    assert [str(one.of) for one in for_pages([load_time()], ["/a"])[0].instead] == ["import.page_load"]


def test_of_several_alternatives_the_first_that_was_measured_is_judged():
    imported = Measurements(seconds=0, gauges={"import.page_load": [1500.0]})
    (verdict,) = judge([load_time()], imported)
    assert (verdict.budget.stat, str(verdict.budget.of), verdict.value) == ("p50", "import.page_load", 1500)
    with pytest.raises(ValueError, match="not given in the same unit"):
        parse_budget("x", "http", "p95", "< 1s", instead=["p50 of page", "max of page.bytes"])
