"""Results of other tools: what is read from each, and what becomes of it under the same budgets."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.budgets import load_budgets
from dbz.errors import ExitCode, UsageError
from dbz.measure.budget.budgets import parse_budget
from dbz.measure.budget.measured import Measured
from dbz.measure.budget.measuring import measure
from dbz.measure.budget.metrics import parse_selector
from dbz.runs.conclude import EXIT_CODES
from dbz.runs.imports.imported import Imported
from dbz.runs.imports.judging import judge_files
from dbz.runs.imports.locust import read_locust_json, rounding_ms
from dbz.runs.imports.reading import read_file, together
from dbz.runs.schema import Run, RunVerdict

FILES = Path(__file__).parent / "files"


def figure(name: str, of: str, stat: str) -> Measured | None:
    path = FILES / name
    return measure(parse_selector(of), stat, together([(path, read_file(path))]))


def value(name: str, of: str, stat: str) -> float:
    one = figure(name, of, stat)
    assert one is not None
    return one.value


@pytest.mark.parametrize(
    ("name", "of", "stat", "expected"),
    [
        ("k6_summary_export.json", "http", "p95", 121.9),
        ("k6_summary_export.json", 'http{op="GET /api/posts"}', "p95", 180.0),
        ("k6_summary_export.json", "http", "error_rate", 0.001),
        ("k6_summary_export.json", "http", "count", 1998),
        ("k6_summary_export.json", "composite{name=iteration}", "mean", 90.0),
        ("k6_handle_summary.json", "http", "p90", 310.4),
        ("k6_handle_summary.json", "http", "error_rate", 0.06),
        ("k6_handle_summary.json", "other{name=chat_delivery}", "p99", 60.0),
        ("k6_new_summary.json", "http", "max", 901.7),
        ("k6_new_summary.json", "http", "rate", 2000 / 30.03),
        ("locust_stats.csv", "http", "p95", 17.0),
        ("locust_stats.csv", "http", "count", 469 - 21),
        ("locust_stats.csv", 'http{op="GET /api/none"}', "error_rate", 21 / 49),
        ("locust_stats.csv", 'http{op="GET /api/games"}', "mean", 9.84),
        ("artillery.json", "http", "p75", math.inf),
        ("artillery.json", "http", "error_rate", (34 + 34 + 5) / 136),
        ("artillery.json", "http", "rate", (136 - 73) / 7.845),
        ("artillery.json", 'http{op="GET /api/posts"}', "p95", 27.9),
        ("artillery.json", 'http{op="GET /api/games"}', "error_rate", 5 / 34),
        ("artillery.json", 'http{op="GET /api/drop"}', "error_rate", 1),
        ("artillery.json", "ack", "p95", 0.6),
        ("artillery.json", "composite{name=session}", "error_rate", 34 / 48),
        ("vegeta.json", "http", "p99", 140.2),
        ("vegeta.json", "errors", "error_rate", 0.001),
        ("oha.json", "http", "p99", 332.2),
        ("oha.json", "http", "error_rate", 10 / 2000),
        ("oha.json", "http", "rate", 1990 / 10.002),
        ("lighthouse-1.json", "import.fcp", "p50", 627.73),
        ("lighthouse-1.json", "import.page_load", "p50", 925.47),
        ("lighthouse-1.json", "import.performance", "p50", 0.96),
        ("flashlight.json", "import.app_launch", "p50", 1915.92),
    ],
)
def test_each_tool_says_what_it_measured(name: str, of: str, stat: str, expected: float) -> None:
    assert value(name, of, stat) == pytest.approx(expected, rel=0.002)


def test_a_device_trace_has_memory_and_threads() -> None:
    assert value("flashlight.json", "import.mobile_memory", "max") == pytest.approx(128.35546875 * 2**20)
    whole = value("flashlight.json", "import.mobile_cpu", "mean")
    assert 0.2 < whole < 0.22
    assert value("flashlight.json", "import.mobile_thread_cpu{thread=node}", "mean") == pytest.approx(whole, rel=0.05)


def flashlight(folder: Path, **result: object) -> Imported:
    """What is read of a trace with two samples, with other keys of the result."""
    sample = {
        "time": 500,
        "cpu": {"perName": {"UI Thread": 40.0, "mqt_js": None}, "perCore": {}},
        "ram": 100,
        "fps": 60,
    }
    good = {"time": 900.0, "measures": [sample, {"time": 1000, "cpu": {"perName": {}, "perCore": {}}}]}
    path = folder / "flashlight.json"
    path.write_text(json.dumps({"name": "launch", "iterations": [good]} | result))
    return read_file(path)


def test_iterations_that_failed_or_were_repeated_do_not_count(tmp_path: Path) -> None:
    alone = flashlight(tmp_path)
    assert alone.gauges["import.mobile_fps"] == [60] and alone.gauges["import.mobile_cpu"] == [0.4]
    sample = {"time": 500, "cpu": {"perName": {"UI Thread": 100.0}, "perCore": {}}, "ram": 999, "fps": 1}
    bad = [{"time": 9e9, "status": "FAILURE"}, {"time": 9e9, "isRetriedIteration": True}]
    more = [json.loads(json.dumps(one | {"measures": [sample]})) for one in bad]
    good = {"time": 900.0, "status": "SUCCESS", "measures": []}
    assert flashlight(tmp_path, iterations=[*more, good]).gauges == {"import.app_launch": [900]}


def test_made_up_figures_of_flashlight_on_ios_are_not_judged(tmp_path: Path) -> None:
    found = flashlight(tmp_path, type="IOS_EXPERIMENTAL", score=40)
    assert found.gauges == {"import.mobile_cpu": [0.4]}
    assert "know the CPU only" in found.notes[0]


def test_a_server_that_never_answered_artillery_is_broken(tmp_path: Path) -> None:
    counters = {"http.requests": 50, "errors.ECONNREFUSED": 50, "vusers.created": 50, "vusers.failed": 50}
    path = tmp_path / "artillery.json"
    path.write_text(json.dumps({"aggregate": {"counters": counters, "summaries": {}}, "intermediate": []}))
    run = judge_files([path], load_budgets("default"))[0]
    assert run.verdict is RunVerdict.FAIL
    assert {verdicts(run)[name] for name in ("api_response_time", "error_rate")} == {"broken"}


def test_what_oha_broke_off_at_its_end_is_no_failure(tmp_path: Path) -> None:
    data = json.loads((FILES / "oha.json").read_text())
    data["statusCodeDistribution"], data["errorDistribution"] = {"200": 2000}, {"aborted due to deadline": 50}
    path = tmp_path / "oha.json"
    path.write_text(json.dumps(data))
    run = judge_files([path], load_budgets("default"))[0]
    (budget,) = (one for one in run.budgets if one.name == "error_rate")
    assert run.verdict is RunVerdict.PASS and (budget.value, budget.samples) == (0, 2000)


def test_the_metrics_alone_of_k6_are_known(tmp_path: Path) -> None:
    metrics = json.loads((FILES / "k6_summary_export.json").read_text())["metrics"]
    path = tmp_path / "k6.json"
    path.write_text(json.dumps({"metrics": metrics}))
    assert read_file(path).tool == "k6"


def judged(*names: str, budgets: str = "default") -> Run:
    return judge_files([FILES / name for name in names], load_budgets(budgets))[0]


def verdicts(run: Run) -> dict[str, str]:
    return {budget.name: budget.verdict for budget in run.budgets if budget.verdict != "not measured"}


def test_the_default_budgets_judge_devices_and_pages(tmp_path: Path) -> None:
    pages = [FILES / f"lighthouse-{number}.json" for number in (1, 2)]
    slow = json.loads((FILES / "lighthouse-3.json").read_text())
    slow["audits"]["interactive"]["numericValue"] = 2300
    (tmp_path / "slow.json").write_text(json.dumps(slow))
    files = [*pages, tmp_path / "slow.json", FILES / "flashlight.json"]
    run = judge_files(files, load_budgets("default"))[0]
    assert verdicts(run) == {
        "app_launch_time": "inconclusive",
        "page_load_time": "inconclusive",
        "mobile_memory_usage": "pass",
        "mobile_cpu_usage": "pass",
    }
    (page,) = (budget for budget in run.budgets if budget.name == "page_load_time")
    assert (page.value, page.of, page.samples) == (pytest.approx(931.4), "import.page_load", 3)
    assert run.verdict is RunVerdict.PASS
    two = judge_files([tmp_path / "slow.json", tmp_path / "slow.json"], load_budgets("default"))[0]
    assert two.verdict is RunVerdict.FAIL and "p50 of import.page_load is 2,300 ms" in two.reasons[0]


@pytest.mark.parametrize("name", ["k6_handle_summary.json", "locust.json", "oha.json", "artillery.json"])
def test_failures_are_failures_in_every_tool(name: str) -> None:
    run = judged(name)
    assert run.verdict is RunVerdict.FAIL and verdicts(run)["error_rate"] == "broken"


def test_a_percentile_on_failed_requests_is_broken_whatever_the_tool_says() -> None:
    (budget,) = (one for one in judged("k6_handle_summary.json").budgets if one.name == "api_response_time")
    assert (budget.verdict, budget.value) == ("broken", None) and "falls on failed attempts" in budget.reason


def test_a_statistic_that_the_file_lacks_is_not_measured_and_says_what_there_is() -> None:
    budgets = [parse_budget("tail", "http", "p99", "< 1s", required=True), parse_budget("any", "http", "p95", "< 1s")]
    run, _ = judge_files([FILES / "k6_summary_export.json"], budgets)
    assert run.verdict is RunVerdict.FAIL
    assert run.reasons == [
        "tail: required, but http was not measured: the file has only max, mean, min, p50, p90, p95 of http"
    ]


def test_parts_cannot_be_added_up_to_a_percentile() -> None:
    budgets = [parse_budget("all", 'http{op="GET *"}', "p95", "< 1s", required=True)]
    run, _ = judge_files([FILES / "locust_stats.csv"], budgets)
    assert "p95 of 3 parts of" in run.reasons[-1] and "cannot be added up" in run.reasons[-1]


def test_an_empty_trend_of_k6_is_not_taken_for_a_fast_one() -> None:
    assert figure("k6_handle_summary.json", "other{name=checkout_time}", "p95") is None
    run, _ = judge_files([FILES / "vegeta.json"], [parse_budget("launch", "import.app_launch", "p50", "< 3s")])
    assert EXIT_CODES[run.verdict] is ExitCode.INVALID
    assert run.reasons == ["nothing was judged: no budget is about anything that these files have"]


def test_a_limit_within_locusts_rounding_is_not_decided() -> None:
    rows = [{"name": "/", "method": "GET", "num_failures": 0, "start_time": 0.0, "last_request_timestamp": 9.0}]
    rows[0]["response_times"] = {"200": 500}  # a true 204.9 ms is written as 200
    imported = read_locust_json(rows, Path("locust.json"))
    measured = measure(parse_selector("http"), "p95", together([(Path("x"), imported)]))
    assert measured is not None and measured.low is not None and measured.high is not None
    assert measured.low < 195.1 and measured.high > 204.9


@given(st.dictionaries(st.integers(1, 400), st.integers(1, 20), min_size=1, max_size=8), st.integers(0, 40))
def test_failures_among_locusts_times_never_make_a_percentile_better(times: dict[int, int], failures: int) -> None:
    def p95(failed: int) -> float:
        row = {"name": "/", "method": "GET", "num_failures": failed, "start_time": 0.0, "last_request_timestamp": 9.0}
        row["response_times"] = {str(ms): count for ms, count in times.items()}
        measured = measure(parse_selector("http"), "p95", together([(Path("x"), read_locust_json([row], Path("x")))]))
        return measured.value if measured else math.inf

    assert p95(min(failures, sum(times.values()))) >= p95(0)


@pytest.mark.parametrize(("value_ms", "half"), [(99, 0.5), (100, 5), (990, 5), (1000, 50), (9900, 50), (10000, 500)])
def test_locusts_steps(value_ms: float, half: float) -> None:
    assert rounding_ms(value_ms) == half


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "neither JSON nor a text"),
        ("[]", "of no tool that dbz knows"),
        ('{"a": 1}', "of no tool that dbz knows"),
        ('{"metrics": {"http_req_duration": 3}, "root_group": {}, "x": "\ud800"}', "cannot read|neither JSON"),
        ('{"latencies": {"mean": "x"}, "status_codes": {}, "requests": "many"}', "'requests' should be a number"),
        (
            '{"lighthouseVersion": "13", "audits": {}, "runtimeError": {"code": "NO_FCP"}}',
            r"could not load the page \(NO_FCP\)",
        ),
        ('{"name": "x", "iterations": [{"status": "SUCCESS", "measures": 3}]}', "'measures' should be a list"),
        ("Method,Name,Error,Occurrences\n", "ends in _stats.csv"),
        ("Type,Name,Request Count\nGET,/,many\n", "'many' under 'Request Count' should be a number"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "result"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError, match=says):
        read_file(path)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: (
            st.lists(one)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "metrics",
                        "root_group",
                        "aggregate",
                        "counters",
                        "latencies",
                        "status_codes",
                        "audits",
                        "iterations",
                        "name",
                        "lighthouseVersion",
                    ]
                ),
                one,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_is_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(data))
    try:
        read_file(path)
    except UsageError as error:
        assert str(path) in error.message  # noqa: PT017 a file that happens to be right is fine too


def test_two_summaries_of_the_same_requests_are_refused() -> None:
    with pytest.raises(UsageError, match="percentiles cannot be added up"):
        judged("vegeta.json", "oha.json")


def test_a_misspelt_filter_is_named_with_the_nearest_operation_and_decides_nothing() -> None:
    wrong = parse_budget("posts", 'http{op="GET /api/postz"}', "p95", "< 1ms")
    run, _ = judge_files([FILES / "locust.json"], [wrong])
    assert EXIT_CODES[run.verdict] is ExitCode.INVALID
    assert run.reasons[1] == "posts: no op is called GET /api/postz; did you mean GET /api/posts?"
    run, notes = judge_files([FILES / "locust.json"], [wrong, parse_budget("all", "http", "count", "> 1")])
    assert (run.verdict, run.reasons) == (RunVerdict.PASS, []) and "did you mean GET /api/posts?" in notes[0]


def test_why_a_budget_was_not_measured_is_said() -> None:
    budgets = [
        parse_budget("all", "http", "count", "> 1"),
        parse_budget("far off", "http{op=checkout}", "p95", "< 1ms"),
        parse_budget("apdex", "http", "apdex(1s)", "> 0.9"),
        parse_budget("cpu", "server.cpu", "max", "< 70%"),
    ]
    run, notes = judge_files([FILES / "vegeta.json"], budgets)
    assert run.verdict is RunVerdict.PASS
    assert notes[0].startswith("apdex: the file has only") and not any(note.startswith("cpu") for note in notes)
    _, notes = judge_files([FILES / "locust.json"], budgets)
    assert notes[0].startswith("far off: no op is called checkout; there is ")
    # Where nothing else is judged, it is why nothing was.
    run, _ = judge_files([FILES / "vegeta.json"], budgets[2:])
    assert (run.verdict, run.reasons[1].split(":")[0]) == (RunVerdict.INVALID, "apdex")


def test_a_required_figure_of_a_server_is_not_missed_by_the_requests_of_a_file() -> None:
    needed = parse_budget("cpu", "server.cpu", "max", "< 70%", required=True)
    run, _ = judge_files([FILES / "vegeta.json"], [needed])
    assert run.verdict is RunVerdict.INVALID and "the file has only" not in " ".join(run.reasons)


def test_stretches_of_time_are_not_judged_by_totals() -> None:
    def outcome(**terms: str) -> str:
        budgets = [parse_budget("it", "http", "p95", **terms), parse_budget("any", "http", "count", "> 1")]
        return judge_files([FILES / "vegeta.json"], budgets)[0].budgets[0].verdict

    assert outcome(limit="< 500ms", window="10s") == "not measured"
    assert outcome(limit="< 500ms", after="10s") == "not measured"
    assert outcome(limit="< 5ms", window="10s") == "broken"
    assert outcome(limit="< 5ms", window="10s in 90%") == "not measured"
    assert outcome(limit="< 500ms") == "pass"
