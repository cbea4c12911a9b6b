"""The words of a report: the headline for each outcome, and advice that follows from the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbz.measure.budget.budgets import Budget, parse_budget
from dbz.report.words.advice import next_steps
from dbz.report.words.care import care_rows
from dbz.report.words.facts import facts, generator_text, server_text
from dbz.report.words.services import services_text
from dbz.report.words.verdict import by_importance, delivery_text, headline, latency_text
from dbz.runs.schema import CareFigures, Deliveries, Run, RunVerdict, Server
from dbz.runs.storage.folder import RunFolder
from tests.runs.builder import Scene, build_run

FAST = parse_budget("fast", "http", "p95", "< 1ms")
HOLDS = parse_budget("holds", "http", "p95", "< 10s")
MISSING = parse_budget("missing", "import.mobile_cpu", "mean", "< 30%")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A short run without budgets."""
    return build_run(tmp_path_factory.mktemp("reports"), Scene(seconds=4, warmup_s=1), budgets=[])


@pytest.mark.parametrize(
    ("budgets", "says"),
    [
        ([], "No budgets were given."),
        ([HOLDS], "The one measured budget holds."),
        ([HOLDS, FAST], "1 of 2 measured budgets is broken."),
        ([FAST, MISSING], "1 of 1 measured budget is broken; 1 was not measured."),
        ([MISSING], "The measurement cannot be trusted; no budget was measured."),
    ],
)
def test_the_headline_counts_the_budgets(tmp_path: Path, budgets: list[Budget], says: str) -> None:
    assert headline(build_run(tmp_path, Scene(seconds=4, warmup_s=1), budgets=budgets).load()) == says


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        (RunVerdict.INVALID, "The measurement cannot be trusted; no budgets were given."),
        (RunVerdict.INTERRUPTED, "Stopped early, after 4 s; of what was measured, no budgets were given."),
        (RunVerdict.RUNNING, "Still running, or dbz was killed; in the record so far, no budgets were given."),
    ],
)
def test_the_headline_says_what_else_is_wrong(plain: RunFolder, verdict: RunVerdict, says: str) -> None:
    assert headline(plain.load().model_copy(update={"verdict": verdict})) == says


def test_who_interrupts_the_warm_up_reads_that_nothing_was_judged(plain: RunFolder) -> None:
    run = plain.load()
    window = run.window.model_copy(update={"end_s": run.window.start_s})
    early = run.model_copy(update={"verdict": RunVerdict.INTERRUPTED, "window": window})
    assert headline(early) == "Stopped in the warm-up, after 4 s: nothing was judged."


def test_a_broken_latency_budget_names_its_slowest_part(broken: RunFolder) -> None:
    steps = next_steps(broken.load())
    assert steps[0].startswith("Most frequent error: HTTP 503 Service Unavailable in GET /api/posts (")
    assert any("the slowest part is GET /api/posts, more than 5 % of its attempts failed" in step for step in steps)
    assert any(step.startswith("Slowest query of the server: posts.list, p95 ") for step in steps)


def test_a_busy_server_is_pointed_out(broken: RunFolder) -> None:
    busy = broken.load().model_copy(update={"server": Server(cpu_percent=93)})
    assert "The server used 93 % of its cores: look there before anything else." in next_steps(busy)


def test_a_run_that_passed_needs_no_advice(passed: RunFolder) -> None:
    assert next_steps(passed.load()) == []


def test_an_invalid_run_must_not_be_compared(plain: RunFolder) -> None:
    steps = next_steps(plain.load().model_copy(update={"verdict": RunVerdict.INVALID}))
    assert "do not compare these numbers" in steps[0]


def test_broken_budgets_come_before_missing_required_ones_and_those_that_hold(tmp_path: Path) -> None:
    required = parse_budget("required", "import.mobile_cpu", "mean", "< 30%", required=True)
    run = build_run(tmp_path, Scene(seconds=4, warmup_s=1), budgets=[MISSING, HOLDS, required, FAST]).load()
    assert [budget.name for budget in by_importance(run.budgets)] == ["fast", "required", "holds", "missing"]


def test_what_nobody_reported_is_left_out() -> None:
    run = Scene().run("x")
    assert (generator_text(run), server_text(run)) == ("", "")
    silent = run.model_copy(update={"server": Server(query_ms={"posts": {"count": 1, "mean": 9.0, "p95": None}})})
    assert server_text(silent) == "slowest query posts, p95 beyond its slowest bucket"


def test_facts_name_what_is_needed_to_repeat_the_run(passed: RunFolder) -> None:
    found = dict(facts(passed.load()))
    assert found["Seed"] == "1" and found["Version of locust"] == "2.47.0" and found["Memory"] == "8 GB"
    assert found["Target"] == "http://127.0.0.1:43117 (embedded stack)"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (Deliveries(event="chat", expected=9, delivered=9), "9 of 9 delivered, none lost, twice or out of order"),
        (
            Deliveries(event="chat", expected=9, delivered=7, lost=2, out_of_order=1),
            "7 of 9 delivered, 2 lost, 1 out of order",
        ),
    ],
)
def test_deliveries_in_one_line(row: Deliveries, says: str) -> None:
    assert delivery_text(row) == says


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4216, "0.422"), (12.34, "12.3"), (1240.4, "1,240"), (None, "failed"), (float("inf"), "failed")],
)
def test_latencies_have_three_digits(value: float | None, text: str) -> None:
    assert latency_text(value) == text


def test_runs_without_any_detail_have_facts_too() -> None:
    run = Run(id="x", started="2026-11-23T00:00:00+00:00", profile={}, target="http://127.0.0.1", seed=1)
    assert dict(facts(run))["Users held"] == "not measured"


def test_the_answers_that_care_keeps_small_are_named_whatever_other_bytes_there_are():
    """An ETag saves a list's answer; pictures, whose number differs by chance, are a hundred times as many bytes."""

    def figures(without: list[str], total: float, **sizes: float) -> CareFigures:
        figures = {
            "requests_per_s": 10,
            "bytes_per_s": total,
            "server_cpu_percent": 5,
            "p95_ms": 9,
            "composite_p95_ms": 9,
        }
        return CareFigures(run="r", without=without, answer_bytes=sizes, **figures)

    whole = figures([], 9e6, posts=80, pictures=104_000, rare=10)
    others = [figures(["etag"], 8e6, posts=2992, pictures=105_000), figures(["cache"], 9e6, posts=81, pictures=99_000)]
    assert [row[-1] for row in care_rows([whole, *others])] == ["–", "posts: 80 B → 2.99 KB", "–"]


@pytest.mark.parametrize(
    ("p95_ms", "says"),
    [
        ({"game": 20.0, "chat": 5.0}, "game is the slowest: p95 20 ms, 4 times that of chat."),
        ({"game": 20.0, "chat": None}, "chat is the slowest: its p95 falls on failed requests."),
        # As when the gateway itself is gone: whoever comes first in the list is not to blame for that.
        (
            {"game": 20.0, "chat": None, "auth": None},
            "no one is the slowest: p95 of chat and auth falls on failed requests.",
        ),
    ],
)
def test_a_service_is_the_slowest_when_it_is_alone_in_that(
    plain: RunFolder, p95_ms: dict[str, float | None], says: str
) -> None:
    run = plain.load()
    like = run.operations[0]
    services = [
        like.model_copy(
            update={"name": name, "errors": 0, "latency_ms": like.latency_ms.model_copy(update={"p95": p95})}
        )
        for name, p95 in p95_ms.items()
    ]
    assert services_text(run.model_copy(update={"services": services, "operations": []})) == says
