"""Lighthouse and Flashlight: pages by URL, and the time of a test that is the start of an app or is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbz.config.budgets import load_budgets
from dbz.errors import UsageError
from dbz.measure.budget.budgets import parse_budget
from dbz.runs.imports.judging import judge_files
from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import FILES, budget, found_in, judged, value_of, written

PAGE: dict[str, Any] = json.loads((FILES / "lighthouse-1.json").read_text())


def page(url: str, load_ms: float | None, score: float = 0.9, form: str = "mobile", **more: Any) -> dict[str, Any]:
    """A report of one page."""
    audits = dict(PAGE["audits"])
    audits["interactive"] = audits["interactive"] | {"numericValue": load_ms}
    performance = {"performance": {"id": "performance", "score": score}}
    report = PAGE | {"requestedUrl": url, "finalDisplayedUrl": url, "audits": audits, "categories": performance}
    return report | {"configSettings": PAGE["configSettings"] | {"formFactor": form}} | more


def pages(folder: Path, *reports: dict[str, Any]) -> list[Path]:
    return [written(folder, report, f"lhr-{number}.json") for number, report in enumerate(reports)]


def test_a_slow_page_is_not_made_good_by_quick_ones(tmp_path: Path) -> None:
    quick = [page("https://club.example/", 900)] * 3
    slow = [page("https://club.example/games?id=1", 4000)] * 2
    files = pages(tmp_path, *quick, *slow)
    code, run = judged(files, budget("import.page_load", "p50", "< 2s"))
    assert code == 1 and [one.verdict for one in run.budgets] == ["inconclusive", "inconclusive"]
    (reason,) = run.reasons
    assert "https://club.example/games?id=1" in reason and "is 4,000 ms" in reason
    default, _ = judge_files(files, load_budgets("default"))
    assert [one.name for one in default.budgets if one.value == 4000] == [
        "page_load_time https://club.example/games?id=1"
    ]
    assert default.verdict.value == "fail"


def test_a_low_score_of_one_page_counts_too(tmp_path: Path) -> None:
    files = pages(tmp_path, page("http://a/", 1, 0.99), page("http://b/", 1, 0.99), page("http://c/", 1, 0.2))
    assert judged(files, budget("import.performance", "p50", ">= 80%"))[0] == 1
    assert judged(files[:2], budget("import.performance", "p50", ">= 80%"))[0] == 0
    assert judged(files, budget('import.performance{page!="http://c/*"}', "p50", ">= 80%"))[0] == 0


def test_a_budget_may_be_about_one_page(tmp_path: Path) -> None:
    files = pages(tmp_path, page("http://a/", 100), page("http://a/?x", 5000))
    assert judged(files, budget('import.page_load{page="http://a/"}', "p50", "< 2s"))[0] == 0
    code, run = judged(files, budget('import.page_load{page="http://b/"}', "p50", "< 2s"))
    assert code == 4 and "no page is called http://b/; did you mean http://a/?" in run.reasons[1]


def test_a_phone_and_a_desktop_are_not_one_page(tmp_path: Path) -> None:
    files = pages(tmp_path, page("http://a/", 3000), page("http://a/", 500, form="desktop"))
    assert found_in(*files).names("import.page_load") == ["http://a/ (desktop)", "http://a/ (mobile)"]
    assert judged(files, budget("import.page_load", "p50", "< 2s"))[0] == 1
    assert found_in(files[1]).names("import.page_load") == ["http://a/"]


def test_what_could_not_be_loaded_or_measured_is_refused(tmp_path: Path) -> None:
    broken = page("http://a/", 100, runtimeError={"code": "ERRORED_DOCUMENT_REQUEST", "message": "404"})
    with pytest.raises(UsageError, match="could not load the page"):
        read_file(written(tmp_path, broken))
    blank = page("http://a/", None)
    for audit in ("interactive", "largest-contentful-paint"):
        blank["audits"][audit] = {"id": audit, "scoreDisplayMode": "error", "errorMessage": "NO_LCP"}
    with pytest.raises(UsageError, match="loaded http://a/, but could not measure it"):
        read_file(written(tmp_path, blank))


def test_a_page_that_led_elsewhere_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, page("http://a/games", 100, finalDisplayedUrl="http://a/login"))
    assert read_file(path).notes == ["http://a/games led to http://a/login, which is what Lighthouse measured."]


def test_the_secrets_of_an_address_are_not_shown(tmp_path: Path) -> None:
    path = written(tmp_path, page("https://me:pw@a/?id=7&access_token=abc", 100))
    assert found_in(path).names("import.page_load") == ["https://***@a/?id=7&access_token=***"]


def test_older_reports_have_another_name_for_the_address(tmp_path: Path) -> None:
    older = {key: value for key, value in page("http://a/", 100).items() if key != "finalDisplayedUrl"}
    del older["requestedUrl"]
    path = written(tmp_path, older | {"finalUrl": "http://old/", "lighthouseVersion": "9.6.8"})
    assert found_in(path).names("import.page_load") == ["http://old/"]


def test_a_folder_of_lighthouse_ci_is_its_runs(tmp_path: Path) -> None:
    pages(tmp_path, page("http://a/", 1000), page("http://a/", 3000), page("http://a/", 1200))
    written(tmp_path, [], "assertion-results.json")
    written(tmp_path, {"http://a/": "x"}, "links.json")
    assert value_of(tmp_path, "import.page_load", "p50") == 1200
    uploaded = tmp_path / "uploaded"
    uploaded.mkdir()
    written(uploaded, page("http://a/", 700), "a-2026_11_29.report.json")
    written(uploaded, [{"url": "http://a/"}], "manifest.json")
    assert value_of(uploaded, "import.page_load", "p50") == 700
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="a folder without results of Lighthouse CI"):
        found_in(tmp_path / "empty")


def test_a_user_flow_and_pagespeed_insights_hold_reports(tmp_path: Path) -> None:
    steps = [
        {"name": "cold", "lhr": page("http://a/", 900)},
        {"name": "scroll", "lhr": {**page("http://a/", 1), "gatherMode": "timespan"}},
    ]
    assert value_of(written(tmp_path, {"name": "flow", "steps": steps}), "import.page_load", "max") == 900
    wrapped = {"kind": "pagespeedonline#result", "lighthouseResult": page("http://a/", 800)}
    assert value_of(written(tmp_path, wrapped), "import.page_load", "max") == 800


def sample(**more: Any) -> dict[str, Any]:
    return {
        "time": 500,
        "cpu": {"perName": {"UI Thread": 9.0, "mqt_js": 11.0}, "perCore": {}},
        "ram": 120,
        "fps": 59.5,
        **more,
    }


def trace(name: str, *times_ms: float, **more: Any) -> dict[str, Any]:
    iterations = [{"time": time_ms, "status": "SUCCESS", "measures": [sample()] * 4} for time_ms in times_ms]
    return {"name": name, "status": "SUCCESS", "iterations": iterations, **more}


@pytest.mark.parametrize(
    ("name", "launch"),
    [
        ("Scroll the list", False),
        ("Start a match", False),
        ("Open the chat", False),
        ("App launch", True),
        ("cold start", True),
        ("startup", True),
        ("TTI of the home screen", True),
        ("Opening the app", True),
        ("app_start", True),
    ],
)
def test_the_time_of_a_test_is_the_start_of_an_app_only_when_it_says_so(
    tmp_path: Path, name: str, launch: bool
) -> None:
    path = written(tmp_path, trace(name, 20_270, 20_271))
    assert value_of(path, "import.app_launch", "max") == (20_271 if launch else None)
    assert value_of(path, "import.test_time", "max") == (None if launch else 20_271)
    run, notes = judge_files([path], load_budgets("default"))
    assert run.verdict.value == ("fail" if launch else "pass")
    assert launch or any("taken for the start of the app where its name says so" in note for note in notes)


def test_what_a_device_did_by_hand(tmp_path: Path) -> None:
    path = written(tmp_path, [trace("scroll", 5000), trace("launch", 900, 1100)])
    assert value_of(path, "import.mobile_memory", "max") == 120 * 2**20
    assert value_of(path, "import.mobile_fps", "mean") == 59.5
    assert value_of(path, "import.mobile_cpu", "mean") == pytest.approx(0.2)
    assert value_of(path, "import.mobile_thread_cpu{thread=mqt_js}", "mean") == pytest.approx(0.11)
    assert value_of(path, "import.app_launch", "max") == 1100


def test_a_test_that_failed_says_nothing(tmp_path: Path) -> None:
    failed = trace("launch", 900, status="FAILURE")
    failed["iterations"].append({"time": 9e5, "status": "FAILURE", "measures": []})
    failed["iterations"].append({"time": 9e5, "status": "FAILURE", "isRetriedIteration": True, "measures": []})
    code, run = judged([written(tmp_path, failed)], parse_budget("launch", "import.app_launch", "p50", "< 3s"))
    assert code == 4 and run.reasons[0] == "launch: the test that Flashlight ran failed, so its figures say nothing"
    notes = read_file(written(tmp_path, failed)).notes
    assert notes == ["launch: 1 iterations failed and 1 were tried again; these do not count."]
