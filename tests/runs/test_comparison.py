"""Comparing runs on disk: which may be, what is found, what a run with a baseline becomes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dbz.errors import UsageError
from dbz.measure.budget.budgets import Budget, parse_budget
from dbz.measure.budget.relative import against
from dbz.measure.compare.differences import Change
from dbz.measure.compare.terms import ComparisonTerms
from dbz.measure.latency.series import Series
from dbz.report.words.comparison import comparison_headline, comparison_remarks
from dbz.runs.compare.baseline import Baseline
from dbz.runs.compare.comparable import refuse_incomparable
from dbz.runs.compare.findings import compare_sides
from dbz.runs.compare.sides import Side, find_runs, newest_comparable
from dbz.runs.compare.trend import trend_of
from dbz.runs.conclude import conclude
from dbz.runs.schema import Run, RunVerdict
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import read_record
from tests.runs.builder import STARTED, TRAFFIC, Scene, build_run

POSTS = "GET /api/posts"


def scene(seed: int, **more: object) -> Scene:
    return Scene(seconds=10, warmup_s=2, seed=seed, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three runs of the same code."""
    reports = tmp_path_factory.mktemp("base")
    for number in range(3):
        build_run(reports, scene(number), run_id=f"base-{number}")
    return reports


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs with one slow operation."""
    reports = tmp_path_factory.mktemp("slow")
    for number in range(3):
        build_run(reports, scene(10 + number, slow={POSTS: 2.5}), run_id=f"slow-{number}")
    return reports


def test_the_slow_operation_is_named_with_how_much_and_how_sure(base: Path, slow: Path) -> None:
    comparison = compare_sides(Side(find_runs(base, str(base))), Side(find_runs(slow, str(slow))), ComparisonTerms())
    assert [one.operation for one in comparison.worse] == [POSTS]
    sentence = comparison.worse[0].sentence
    assert re.match(rf"http {POSTS} is 1\d\d % slower: p\d\d ", sentence) and "3 runs against 3)" in sentence
    assert ("95 % interval" in sentence and "p < 0.0001" in sentence) or "p = " in sentence


def test_a_name_stands_for_a_run_or_for_all_of_a_folder(base: Path) -> None:
    assert len(find_runs(base, str(base))) == 3
    assert [run.id for run in find_runs(base, "base-1")] == ["base-1"]
    assert [run.id for run in find_runs(base, "latest")] == ["base-2"]
    with pytest.raises(UsageError, match="no run 'nothing'"):
        find_runs(base, "nothing")


def changed(run: Run, **profile: object) -> Run:
    return run.model_copy(update={"id": "other", "profile": {**run.profile, **profile}})


@pytest.mark.parametrize(
    ("update", "says"),
    [
        ({"profile": {"users": 40}}, "users differs: 500 in base-0, 40 in other"),
        ({"profile": {"workers": 4}}, "workers differs: not set in base-0, 4 in other"),
        ({"embedded": False, "target": "https://club.example"}, "the target differs: the embedded stack in base-0"),
        ({"verdict": RunVerdict.INVALID}, "other is invalid, its figures cannot be trusted"),
    ],
)
def test_what_is_not_comparable_is_refused_unless_forced(base: Path, update: dict[str, object], says: str) -> None:
    run = RunFolder(base / "base-0").load()
    profile = {**run.profile, **update.get("profile", {})}  # type: ignore[dict-item]
    other = run.model_copy(update={**update, "id": "other", "profile": profile})
    with pytest.raises(UsageError, match=says) as refusal:
        refuse_incomparable([run], [other], force=False)
    assert "--force" in refusal.value.hint
    assert refuse_incomparable([run], [other], force=True)


def test_names_seeds_and_the_place_of_a_scenario_do_not_matter(base: Path) -> None:
    run = RunFolder(base / "base-0").load()
    one = changed(run, scenario="/home/a/scenarios/mixed.py", name="mine", seed=4, budgets="x")
    assert refuse_incomparable([changed(run, scenario="mixed")], [one], force=False) == []


def judged(folder: RunFolder, baseline: Path, **terms: str) -> Run:
    side = Side(find_runs(baseline, str(baseline)))
    budgets = against([parse_budget("it", f'http{{op="{POSTS}"}}', "p50", **terms)], side.found, ComparisonTerms())
    return conclude(folder.load(), read_record(folder), budgets, baseline=Baseline(side, ComparisonTerms()))


def test_a_run_that_is_slower_than_its_baseline_fails_and_says_why(base: Path, slow: Path) -> None:
    run = judged(RunFolder(slow / "slow-0"), base, limit="< 10s")
    assert run.verdict is RunVerdict.FAIL and run.comparison is not None
    assert run.reasons == [run.comparison.worse[0].sentence]
    assert Run.model_validate_json(run.to_json()).comparison == run.comparison


def test_a_run_of_the_same_code_passes_against_its_baseline(base: Path, tmp_path: Path) -> None:
    run = judged(build_run(tmp_path, scene(77)), base, against="baseline +40%")
    assert (run.verdict, run.reasons) == (RunVerdict.PASS, [])
    assert run.budgets[0].verdict == "pass" and run.budgets[0].allowance == 0.4


def test_a_budget_against_the_baseline_is_broken_by_more_than_it_allows(base: Path, slow: Path) -> None:
    run = judged(RunFolder(slow / "slow-1"), base, against="baseline +20%")
    (budget,) = run.budgets
    assert budget.verdict == "broken" and "(baseline +20 %)" in budget.reason
    assert budget.limit == pytest.approx(14.7 * 1.2, rel=0.1)


def together(budget: Budget, base: Path, folders: list[RunFolder]) -> Run:
    """The last of repeated runs, judged together with the others."""
    side = Side(find_runs(base, str(base)))
    budgets = against([budget], side.found, ComparisonTerms(), runs=len(folders))
    *earlier, last = folders
    baseline = Baseline(side, ComparisonTerms(), earlier=tuple(earlier))
    return conclude(last.load(), read_record(last), budgets, baseline=baseline)


def test_a_budget_against_the_baseline_is_judged_over_repeated_runs(base: Path, tmp_path: Path) -> None:
    budget = parse_budget("it", f'http{{op="{POSTS}"}}', "p50", against="baseline +15%")
    slow = {POSTS: 1.3}
    odd = [
        build_run(tmp_path, scene(60, slow=slow), run_id="a"),
        *(build_run(tmp_path, scene(60 + n), run_id=f"b{n}") for n in range(4)),
    ]
    run = together(budget, base, odd)
    assert run.budgets[0].effect == "none" and run.budgets[0].note.endswith("over 5 runs")
    slower = [build_run(tmp_path, scene(70 + n, slow=slow), run_id=f"c{n}") for n in range(3)]
    (result,) = together(budget, base, slower).budgets
    assert result.verdict == "broken" and "limit <= " in result.reason and result.reason.endswith("over 3 runs")
    assert result.samples > 3 * 400


def test_a_single_run_close_to_a_relative_limit_is_not_sure_and_holds(base: Path, tmp_path: Path) -> None:
    run = judged(build_run(tmp_path, scene(80, slow={POSTS: 1.12})), base, against="baseline +5%")
    assert (run.budgets[0].verdict, run.budgets[0].effect) == ("inconclusive", "none")


def test_a_busy_machine_is_no_slower_code(base: Path, tmp_path: Path) -> None:
    folders = [build_run(tmp_path, scene(20 + n, slow={POSTS: 2.5}, others=0.38), run_id=f"busy-{n}") for n in range(3)]
    side, busy = Side(find_runs(base, str(base))), Side(folders)
    comparison = compare_sides(side, busy, ComparisonTerms())
    assert comparison.worse == []
    assert comparison.doubts == ["the machine was busy in the new runs (others used 38 % of 2 cores, against 3 %)"]
    (suspect,) = comparison.suspects
    assert suspect.sentence.startswith(f"http {POSTS} may be 1")
    assert [one.operation for one in compare_sides(side, busy, ComparisonTerms(busy=1.0)).worse] == [POSTS]
    # The other way round it is what became better that is doubted.
    assert not any(one.verdict is Change.BETTER for one in compare_sides(busy, side, ComparisonTerms()).figures)


def test_disturbed_runs_are_left_out_where_enough_others_are_there(base: Path, tmp_path: Path) -> None:
    new = [build_run(tmp_path, scene(30 + n), run_id=f"quiet-{n}") for n in range(3)]
    new.append(build_run(tmp_path, scene(34, slow={POSTS: 3}, others=0.5), run_id="disturbed"))
    comparison = compare_sides(Side(find_runs(base, str(base))), Side(new), ComparisonTerms())
    assert (comparison.left_out, comparison.doubts, comparison.worse) == (["disturbed"], [], [])
    assert len(comparison.new) == 3
    few = compare_sides(Side(find_runs(base, str(base))), Side(new[2:]), ComparisonTerms())
    assert few.left_out == [] and len(few.doubts) == 1


def test_a_change_beside_all_others_says_so(base: Path, tmp_path: Path) -> None:
    folders = []
    for number, factor in enumerate((1.05, 1.25, 1.5)):
        slow = {**{one.series.name: factor for one in TRAFFIC}, POSTS: 1.6 * factor}
        folders.append(build_run(tmp_path, scene(90 + number, slow=slow), run_id=f"slow-{number}"))
    comparison = compare_sides(Side(find_runs(base, str(base))), Side(folders), ComparisonTerms())
    posts = next(one for one in comparison.figures if one.operation == POSTS and one.shared)
    assert posts.verdict is Change.WORSE and 0.1 < posts.shared < 0.45 and 0.4 < posts.change < 0.8
    assert re.search(r"is \d\d\.?\d* % slower, beside \+\d\d % of all operations: p", posts.sentence)
    assert any(
        text.startswith("Beside what all operations changed by together: ") for text in comparison_remarks(comparison)
    )


def test_what_only_one_side_has_is_told_once(base: Path, tmp_path: Path) -> None:
    few = [one for one in TRAFFIC if one.series.name not in ("chat", "score", "app_launch")]
    folder = build_run(tmp_path, scene(95, traffic=few))
    texts = comparison_remarks(compare_sides(Side([RunFolder(base / "base-0")]), Side([folder]), ComparisonTerms()))
    assert "Only in the base runs: app_launch, chat, score." in texts


def test_a_comparison_says_what_it_could_have_found(base: Path) -> None:
    side = Side(find_runs(base, str(base)))
    found = compare_sides(side, side, ComparisonTerms()).sensitivity
    assert found is not None and found.typical <= found.worst and found.worst_operation and found.wanted == 0.1
    assert found.runs is None or found.runs > 3


def test_a_run_on_a_busy_machine_says_so_and_is_not_invalid(tmp_path: Path) -> None:
    run = build_run(tmp_path, scene(40, others=0.38)).load()
    assert run.machine is not None and run.machine.others_percent == 38.0 and run.verdict is not RunVerdict.INVALID
    (note,) = run.notes
    assert note.startswith("the machine was busy with something else, others used 38 % of 2 cores")
    assert build_run(tmp_path / "quiet", scene(40)).load().notes == []


def test_the_trend_names_the_run_that_changed_the_level() -> None:
    def run(number: int) -> Run:
        one = Scene(started=STARTED + timedelta(days=number)).run(f"run-{number:02d}")
        p50 = (20 if number < 9 else 26) + number % 3 * 0.2
        latency = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "p999", "max"), p50)
        row = {"name": POSTS, "kind": "http", "count": 100, "errors": 0, "rate_per_s": 10, "latency_ms": latency}
        return Run.model_validate({**one.model_dump(by_alias=True), "verdict": "pass", "operations": [row]})

    trend = trend_of([run(number) for number in range(15)])
    (step,) = trend.histories[0].steps
    assert (step.run, round(step.change, 2)) == ("run-09", 0.3)
    with pytest.raises(UsageError, match="a change needs 3 runs on each side"):
        trend_of([run(number) for number in range(5)])
    with pytest.raises(UsageError, match=r"profiles with runs: mixed"):
        trend_of([run(0)], "api")


def test_an_operation_that_is_never_made_any_more_is_a_finding(base: Path, tmp_path: Path) -> None:
    few = [one for one in TRAFFIC if one.series.name != POSTS]
    folder = build_run(tmp_path, scene(101, traffic=few))
    side, new = Side(find_runs(base, str(base))), Side([folder])
    comparison = compare_sides(side, new, ComparisonTerms())
    (vanished,) = comparison.vanished
    assert vanished.operation == POSTS and vanished.attempts > 3 * 10 and comparison.worse == []
    assert comparison.findings == [vanished.sentence] and "never in the new runs" in vanished.sentence
    assert comparison_headline(comparison).endswith(", 1 operation vanished (1 run against 3)")
    accepted = compare_sides(side, new, ComparisonTerms(allow_vanished=True))
    assert accepted.findings == [] and f"Accepted: {vanished.sentence}." in comparison_remarks(accepted)
    baseline = Baseline(side, ComparisonTerms())
    run = conclude(folder.load(), read_record(folder), [], baseline=baseline)
    assert run.verdict is RunVerdict.FAIL and vanished.sentence in run.reasons


def test_an_operation_that_fails_and_that_the_base_has_not_is_a_finding(base: Path, tmp_path: Path) -> None:
    """As when tasks begin to raise: their failures are an operation of its own, which a run without any has not."""
    posts = next(one for one in TRAFFIC if one.series.name == POSTS)
    raising = replace(posts, series=Series("task", "Reader.read", failed=True))
    side = Side(find_runs(base, str(base)))
    for per_s, is_found in ((posts.per_s, True), (0.2, False)):
        traffic = [*TRAFFIC, replace(raising, per_s=per_s)]
        folder = build_run(tmp_path / str(per_s), scene(103, traffic=traffic))
        comparison = compare_sides(side, Side([folder]), ComparisonTerms())
        assert [one.operation for one in comparison.failing] == ["Reader.read"] * is_found, comparison.failing
    folder = build_run(tmp_path / "again", scene(103, traffic=[*TRAFFIC, raising]))
    run = conclude(folder.load(), read_record(folder), [], baseline=Baseline(side, ComparisonTerms()))
    assert run.verdict is RunVerdict.FAIL and run.comparison is not None
    (failing,) = run.comparison.failing
    assert failing.errors == failing.attempts and failing.sentence in run.reasons
    assert "1 operation that the base has not failed" in comparison_headline(run.comparison)


def test_an_operation_with_another_name_is_asked_about(base: Path, tmp_path: Path) -> None:
    renamed = [
        replace(one, series=replace(one.series, name="GET /api/v2/posts")) if one.series.name == POSTS else one
        for one in TRAFFIC
    ]
    folder = build_run(tmp_path, scene(102, traffic=renamed))
    (vanished,) = compare_sides(Side(find_runs(base, str(base))), Side([folder]), ComparisonTerms()).vanished
    assert vanished.renamed == "GET /api/v2/posts" and vanished.sentence.endswith("is it called GET /api/v2/posts now?")


def test_an_operation_that_is_rare_may_be_missing_from_a_run(base: Path, tmp_path: Path) -> None:
    rare = [replace(one, per_s=0.5) if one.series.name == POSTS else one for one in TRAFFIC]
    seldom = build_run(tmp_path / "seldom", scene(103, traffic=rare), run_id="seldom")
    never = build_run(tmp_path / "never", scene(104, traffic=[one for one in rare if one.series.name != POSTS]))
    assert compare_sides(Side([seldom]), Side([never]), ComparisonTerms()).vanished == []


def test_nothing_became_worse_is_not_said_where_nothing_could_have_been_seen(tmp_path: Path) -> None:
    few = [replace(one, per_s=1.5) for one in TRAFFIC]
    folders = [build_run(tmp_path, scene(110 + n, traffic=few), run_id=f"few-{n}") for n in range(2)]
    base, new = Side(folders[:1]), Side(folders[1:])
    comparison = compare_sides(base, new, ComparisonTerms())
    assert comparison.blind and comparison.findings == []
    assert comparison_headline(comparison).startswith(("could not tell whether anything", "nothing could be compared"))
    texts = " ".join(comparison_remarks(comparison))
    assert "Could not tell of" in texts and "--repeat 5" in texts
    run = conclude(folders[1].load(), read_record(folders[1]), [], baseline=Baseline(base, ComparisonTerms()))
    assert run.verdict is RunVerdict.INVALID and run.reasons[-1].startswith("of no operation could be told")


def test_lines_that_cannot_be_read_are_shown(base: Path, tmp_path: Path) -> None:
    folder = build_run(tmp_path, scene(120), run_id="torn")
    log = next(iter(folder.worker_logs()))
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([*lines[:-3], *("garbage\n" for _ in range(3))]))
    comparison = compare_sides(Side(find_runs(base, str(base))), Side([folder]), ComparisonTerms())
    assert comparison.damaged == ["3 lines of the record of torn cannot be read and were left out"]
    assert f"Take care: {comparison.damaged[0]}." in comparison_remarks(comparison)


def test_the_newest_run_that_can_be_compared_is_not_the_newest_run(base: Path, tmp_path: Path) -> None:
    planned = RunFolder(base / "base-0").load()
    other_load = changed(planned, users=7)
    invalid = planned.model_copy(update={"verdict": RunVerdict.INVALID})
    for number, run in enumerate((planned, planned, other_load, invalid)):
        RunFolder(tmp_path / f"run-{number}").path.mkdir()
        RunFolder(tmp_path / f"run-{number}").save(run.model_copy(update={"id": f"run-{number}"}))
    (tmp_path / "run-9").mkdir()
    (tmp_path / "run-9" / "run.json").write_text("{")
    newest = newest_comparable(tmp_path, planned, force=False)
    assert newest is not None and newest.id == "run-1"
    assert newest_comparable(tmp_path, changed(planned, users=9), force=False) is None
    forced = newest_comparable(tmp_path, changed(planned, users=9), force=True)
    assert forced is not None and forced.id == "run-3"


def test_a_run_that_was_found_worse_is_no_baseline_of_the_next(base: Path, slow: Path, tmp_path: Path) -> None:
    planned = RunFolder(base / "base-0").load()
    worse = judged(RunFolder(slow / "slow-0"), base, limit="< 10s")
    assert worse.comparison is not None and worse.comparison.findings
    for number, run in enumerate((planned, worse)):
        RunFolder(tmp_path / f"run-{number}").path.mkdir()
        RunFolder(tmp_path / f"run-{number}").save(run.model_copy(update={"id": f"run-{number}"}))
    newest = newest_comparable(tmp_path, planned, force=False)
    assert newest is not None and newest.id == "run-0"
