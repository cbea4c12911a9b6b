"""k6's three summaries: what is in them by hand, and what is not in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import FILES, budget, figure_of, judged, value_of, written

TIMES = {"avg": 40, "min": 1, "med": 30, "max": 90, "p(90)": 70, "p(95)": 80}
BASE: dict[str, Any] = {
    "http_req_duration": TIMES,
    "http_req_failed": {"value": 0, "passes": 0, "fails": 1000},
    "http_reqs": {"count": 1000, "rate": 100},
    "iterations": {"count": 500, "rate": 50},
    "vus": {"value": 5, "min": 5, "max": 5},
}


def export(more: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """The file of --summary-export."""
    metrics = {name: values for name, values in {**BASE, **more}.items() if name not in without}
    return {"root_group": {"name": "", "path": "", "groups": {}, "checks": {}}, "metrics": metrics}


def _typed(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A metric as handleSummary() gets it."""
    kind, contains = ("gauge", "default") if name == "vus" else ("trend", "time")
    kind, contains = ("rate", "default") if "passes" in values else (kind, contains)
    kind, contains = ("counter", "default") if "count" in values else (kind, contains)
    kept = {("rate" if kind == "rate" and key == "value" else key): value for key, value in values.items()}
    return {"type": kind, "contains": contains, "values": kept}


def handled(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same run as the data of handleSummary()."""
    return {
        "root_group": {"name": "", "path": "", "groups": [], "checks": []},
        "options": {"summaryTrendStats": ["avg"], "summaryTimeUnit": "s"},
        "state": {"testRunDurationMs": 10000},
        "metrics": {name: _typed(name, values) for name, values in data["metrics"].items()},
    }


def machine_readable(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same run as --new-machine-readable-summary writes it: no rates of counters, other names in rates."""
    rows = []
    for name, values in data["metrics"].items():
        row = {"name": name, **_typed(name, values)}
        if row["type"] == "rate":
            row["values"] = {
                "matches": values["passes"],
                "total": values["passes"] + values["fails"],
                "rate": values["value"],
            }
        if row["type"] == "counter":
            row["values"] = {"count": values["count"]}
        rows.append(row)
    return {
        "version": "1.0.0",
        "config": {"script": "t.js", "duration": 10, "execution": "local"},
        "metadata": {"k6Version": "2.2.0"},
        "results": {"checks": {"metrics": [], "results": []}, "metrics": rows},
    }


FORMS = pytest.mark.parametrize("form", [lambda data: data, handled, machine_readable], ids=["export", "handle", "new"])


@FORMS
def test_a_summary_without_a_mean_has_its_percentiles(tmp_path: Path, form: Any) -> None:
    path = written(tmp_path, form(export({"http_req_duration": {"med": 30, "p(95)": 812, "p(99.9)": 900}})))
    assert (value_of(path, "http", "p95"), value_of(path, "http", "mean")) == (812, None)
    assert judged([path], budget("http", "p95", "< 500ms"), budget("http", "error_rate", "< 0.1%"))[0] == 1


@FORMS
def test_without_a_rate_of_failures_nothing_is_said_to_have_succeeded(tmp_path: Path, form: Any) -> None:
    checks = {"checks": {"value": 0.2, "passes": 200, "fails": 800}}
    path = written(tmp_path, form(export(checks, "http_req_failed")))
    for of in ("errors", "http"):
        assert value_of(path, of, "error_rate") is None
        assert judged([path], budget(of, "error_rate", "< 0.1%", required=True))[0] == 1
        assert judged([path], budget(of, "error_rate", "< 0.1%"))[0] == 4
    assert judged([path], budget("http", "p95", "< 50ms"))[0] == 1, "failures only make a percentile worse"
    assert judged([path], budget("http", "p95", "< 500ms"))[0] == 4
    assert "did not say of all requests whether they failed" in " ".join(read_file(path).notes)


@FORMS
def test_fast_failures_improve_no_figure_where_the_times_of_successes_are_in_the_file(
    tmp_path: Path, form: Any
) -> None:
    good = {"avg": 1000, "min": 1000, "med": 1000, "max": 1000, "p(30)": 1000, "p(95)": 1000}
    more = {
        "http_req_duration": {"avg": 400.6, "min": 1, "med": 1, "max": 1000, "p(30)": 1, "p(95)": 1000},
        "http_req_duration{expected_response:true}": good,
        "http_req_failed": {"value": 0.6, "passes": 600, "fails": 400},
    }
    path = written(tmp_path, form(export(more)))
    assert [value_of(path, "http", stat) for stat in ("mean", "p30", "p95")] == [1000, 1000, float("inf")]
    assert value_of(path, "http", "rate") == pytest.approx(40)


@FORMS
def test_a_tagged_operation_has_what_thresholds_asked_for_and_no_more(tmp_path: Path, form: Any) -> None:
    more = {
        "http_req_failed": {"value": 0.05, "passes": 50, "fails": 950},
        "http_req_failed{name:checkout}": {"value": 0.5, "passes": 50, "fails": 50},
        "http_req_duration{name:login}": {**TIMES, "p(95)": 120},
    }
    path = written(tmp_path, form(export(more)))
    assert value_of(path, "http{op=checkout}", "error_rate") == 0.5
    assert value_of(path, "http{op=checkout}", "p95") == float("inf")
    # The times of the logins are there, their failures are not: 50 of the 1,000 requests failed.
    assert value_of(path, "http{op=login}", "p95") is None
    assert judged([path], budget("http{op=login}", "p95", "< 500ms", required=True))[0] == 4
    assert judged([path], budget("http{op=login}", "p95", "< 100ms"))[0] == 1
    # Without any failure there is none among the logins either.
    clean = written(tmp_path, form(export({"http_req_duration{name:login}": {**TIMES, "p(95)": 120}})))
    assert value_of(clean, "http{op=login}", "p95") == 120


@pytest.mark.parametrize("tag", ["name:login page", " name : login page ", "name:'login page'", 'name: "login page"'])
def test_a_tag_is_that_of_k6_however_the_script_writes_it(tmp_path: Path, tag: str) -> None:
    path = written(tmp_path, export({f"http_req_duration{{{tag}}}": TIMES | {"p(95)": 900}}))
    assert judged([path], budget('http{op="login page"}', "p95", "< 500ms"))[0] == 1


def test_tags_are_views_and_no_whole(tmp_path: Path) -> None:
    more = {
        "http_req_duration{name:a}": TIMES,
        "http_req_duration{scenario:b}": TIMES,
        "http_reqs{name:a}": {"count": 9},
    }
    path = written(tmp_path, export(more))
    assert value_of(path, "http{op!=a}", "p95") is None and value_of(path, "http{op=*}", "count") is None
    assert value_of(path, 'http{op="scenario:b"}', "p95") == 80 and value_of(path, "http{op=a}", "count") == 9
    only = written(tmp_path, export({"http_req_duration{name:a}": TIMES}, *BASE))
    assert value_of(only, "http", "p95") is None and read_file(only).tool == "k6"


def test_the_successes_of_a_tagged_operation_are_its_own(tmp_path: Path) -> None:
    more = {
        "http_req_duration{name:a}": {"p(95)": 650, "med": 1, "max": 700},
        'http_req_duration{ name:"a", expected_response:true }': {"p(95)": 600, "med": 500, "max": 700},
        "http_req_failed{name:a}": {"passes": 3, "fails": 97},
        "http_reqs{name:a}": {"count": 100, "rate": 10},
    }
    path = written(tmp_path, export(more))
    one = figure_of(path, "http{op=a}", "p50")
    assert one is not None and (one.low, one.value) == (500, 600)


def test_requests_that_no_rate_of_failures_is_about_may_have_failed(tmp_path: Path) -> None:
    path = written(tmp_path, export({"http_req_failed": {"value": 0, "passes": 0, "fails": 400}}))
    one = figure_of(path, "http", "error_rate")
    assert one is not None and one.only_known and (one.low, one.high) == (0, 1)


def test_names_of_metrics_may_have_spaces_and_brackets(tmp_path: Path) -> None:
    path = written(tmp_path, export({"login page (ms)": {**TIMES, "p(95)": 900}, "a.b-c": TIMES}))
    assert value_of(path, 'other{name="login page (ms)"}', "p95") == 900
    assert value_of(path, "other{name=a.b-c}", "p95") == 80


def test_rates_and_counters_of_a_script_are_what_it_kept(tmp_path: Path) -> None:
    more = {
        "wrong_prices": {"value": 0.02, "passes": 20, "fails": 980},
        "orders": {"count": 120, "rate": 12},
        "basket": {"value": 3, "min": 1, "max": 9},
        "dropped_iterations": {"count": 40, "rate": 4},
        "checks": {"value": 0.9, "passes": 900, "fails": 100},
    }
    path = written(tmp_path, export(more))
    assert value_of(path, "other{name=wrong_prices}", "error_rate") == pytest.approx(0.02)
    assert value_of(path, "other{name=orders}", "count") == 120
    assert value_of(path, "other{name=orders}", "error_rate") is None
    assert value_of(path, "other{name=checks}", "error_rate") == pytest.approx(0.1)
    assert value_of(path, "errors", "error_rate") == 0, "what a script kept is no failed request"
    notes = " ".join(read_file(path).notes)
    assert "neither times nor counts: basket" in notes and "dropped 40 iterations" in notes


def test_checks_have_the_names_of_their_groups(tmp_path: Path) -> None:
    check = {"name": "status is 200", "path": "::login::status is 200", "passes": 9, "fails": 1}
    for groups, checks in (([{"name": "login", "checks": [check]}], []), ({"login": {"checks": {"s": check}}}, {})):
        data = export({})
        data["root_group"] = {"name": "", "path": "", "groups": groups, "checks": checks}
        path = written(tmp_path, data)
        assert value_of(path, 'other{name="check login::status is 200"}', "error_rate") == pytest.approx(0.1)
        assert value_of(path, "other{name=checks}", "count") == 9


def test_groups_are_actions_and_their_requests_have_a_tag(tmp_path: Path) -> None:
    more = {"group_duration": TIMES, "group_duration{group:::login}": TIMES, "http_req_duration{group:::login}": TIMES}
    path = written(tmp_path, export(more))
    assert value_of(path, 'composite{name="group_duration{group:::login}"}', "p95") == 80
    assert value_of(path, 'http{op="group:::login"}', "p95") == 80


def test_a_trend_of_bytes_is_no_latency_and_one_without_a_unit_says_so(tmp_path: Path) -> None:
    data = handled(export({"size": TIMES, "wait": TIMES}))
    data["metrics"]["size"]["contains"], data["metrics"]["wait"]["contains"] = "data", "default"
    path = written(tmp_path, data)
    assert value_of(path, "other{name=size}", "p95") is None and value_of(path, "other{name=wait}", "p95") == 80
    notes = " ".join(read_file(path).notes)
    assert "neither times nor counts: size" in notes and "no unit of wait" in notes


def test_the_checks_of_the_new_summary(tmp_path: Path) -> None:
    path = FILES / "k6_new_summary.json"
    assert value_of(path, "other{name=checks}", "error_rate") == pytest.approx(0.001)
    assert value_of(path, 'other{name="check status is 200"}', "count") == 1998
