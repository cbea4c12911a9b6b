"""Gatling: the log of a run and the report that Gatling makes of it say the same."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dbz.errors import UsageError
from dbz.measure.latency.histogram import rank_of
from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import FILES, budget, figure_of, judged, value_of, written

LOG = FILES / "gatling_simulation.log"
PAGE = "<html><th><span>Mean</span></th>{}</html>"
Sample = tuple[str, int, bool]
"""The name of a request, how many milliseconds it took, and whether it failed."""


def figures(samples: Sequence[Sample], percents: Sequence[float]) -> dict[str, Any]:
    """What Gatling writes of some requests."""
    by_outcome = {
        "total": sorted(took for _, took, _ in samples),
        "ok": sorted(took for _, took, failed in samples if not failed),
        "ko": sorted(took for _, took, failed in samples if failed),
    }

    def each(figure: Any) -> dict[str, int]:
        return {of: round(figure(times)) if times else 0 for of, times in by_outcome.items()}

    stats: dict[str, Any] = {
        "numberOfRequests": each(len),
        "minResponseTime": each(min),
        "maxResponseTime": each(max),
        "meanResponseTime": each(lambda times: sum(times) / len(times)),
        "meanNumberOfRequestsPerSecond": {of: len(times) / 10 for of, times in by_outcome.items()},
    }
    for number, percent in enumerate(percents, 1):
        stats[f"percentiles{number}"] = each(lambda times, p=percent: times[rank_of(p, len(times)) - 1])
    return stats


def report_of(folder: Path, samples: Sequence[Sample], percents: Sequence[float] = (50, 75, 95, 99)) -> Path:
    """A report of Gatling with its page; the path of its stats.json."""
    (folder / "js").mkdir(parents=True)
    heads = "".join(f"<th><span>{percent:g}th pct</span></th>" for percent in percents)
    (folder / "index.html").write_text(PAGE.format(heads))
    contents = {
        f"req_{name}": {
            "type": "REQUEST",
            "name": name,
            "path": name,
            "stats": figures([one for one in samples if one[0] == name], percents),
        }
        for name in {name for name, _, _ in samples}
    }
    whole = {"type": "GROUP", "name": "All Requests", "path": "", "stats": figures(samples, percents)}
    return written(folder / "js", whole | {"contents": contents}, "stats.json")


def log_of(folder: Path, samples: Sequence[Sample], form: str = "REQUEST\t\t{}\t{}\t{}\t{}\t ") -> Path:
    lines = ["RUN\texample.Shop\tshop\t1764600000000\t \t3.10.5"]
    for name, took, failed in samples:
        lines.append(form.format(name, 1764600000000, 1764600000000 + took, "KO" if failed else "OK"))
    return written(folder, "\n".join(lines) + "\n", "simulation.log")


def test_the_log_has_requests_by_path_groups_and_what_kept_users_from_asking() -> None:
    assert value_of(LOG, 'http{op="Home"}', "count") == 2
    assert value_of(LOG, 'http{op="Checkout / Pay"}', "error_rate") == 0.5
    assert value_of(LOG, 'composite{name="Checkout"}', "error_rate") == 1
    assert value_of(LOG, "errors", "error_rate") == 2 / 5, "a request that could not be made is a failure"
    assert value_of(LOG, 'http{op="Home"}', "max") == pytest.approx(60, abs=0.1)


def test_the_binary_log_is_refused_with_what_to_give_instead(tmp_path: Path) -> None:
    path = written(tmp_path, b"\0\0\0\0\x063.13.1\0\0\0\x04Shop" + bytes(range(256)), "simulation.log")
    with pytest.raises(UsageError, match="binary log of Gatling"):
        read_file(path)


@pytest.mark.parametrize(
    "form",
    [
        "REQUEST\t\t{}\t{}\t{}\t{}\t ",
        "REQUEST\t\t{}\t{}\t{}\t{}",
        "REQUEST\t12\t\t{}\t{}\t{}\t{}\t ",
        "REQUEST\tVisitor\t12\t\t{}\t{}\t{}\t{}\t ",
        "REQUEST\tVisitor\t12\t\t{0}\t{1}\t{1}\t{1}\t{2}\t{3}\t ",
    ],
)
@pytest.mark.parametrize("name", ["GET /a", "404", "OK", "KO"])
def test_every_version_of_the_log_says_the_same(tmp_path: Path, form: str, name: str) -> None:
    path = log_of(tmp_path, [(name, 40, False), (name, 50, False), (name, 3, True), (name, 60, False)], form)
    assert value_of(path, f'http{{op="{name}"}}', "error_rate") == 0.25
    assert value_of(path, "http", "p50") == pytest.approx(50, rel=0.01)


@pytest.mark.parametrize("seed", range(12))
def test_a_report_is_never_kinder_than_its_log(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    share, fast = chance.choice([0, 0.005, 0.1, 0.6, 1]), chance.random() < 0.5
    samples: list[Sample] = []
    for _ in range(chance.choice([3, 40, 900])):
        failed = chance.random() < share
        samples.append((chance.choice("ab"), 1 if failed and fast else chance.randint(10, 900), failed))
    percents = chance.choice([(50, 75, 95, 99), (50, 90, 99, 99.9)])
    report, log = report_of(tmp_path / "report", samples, percents), log_of(tmp_path, samples)
    for of in ("http", *(f'http{{op="{name}"}}' for name in sorted({name for name, _, _ in samples}))):
        assert value_of(report, of, "error_rate") == value_of(log, of, "error_rate")
        assert value_of(report, of, "count") == value_of(log, of, "count")
        for percent in percents:
            ours, truth = figure_of(report, of, f"p{percent:g}"), figure_of(log, of, f"p{percent:g}")
            assert ours is not None and truth is not None
            assert ours.value >= truth.value * 0.99 - 1 or (ours.high or 0.0) >= truth.value * 0.99 - 1


def test_a_report_says_which_percentiles_it_has_or_none_is_read(tmp_path: Path) -> None:
    samples: list[Sample] = [("a", took, False) for took in range(1, 101)]
    path = report_of(tmp_path / "report", samples, (10, 20, 30, 40))
    assert value_of(path, "http", "p40") == 40 and value_of(path, "http", "p99") is None
    (tmp_path / "report" / "index.html").unlink()
    assert value_of(path, "http", "p40") is None and value_of(path, "http", "mean") == 50
    assert "index.html" in read_file(path).notes[1]
    assert judged([path], budget("http", "p95", "< 1s", required=True))[0] == 1


def test_numbers_that_are_text_are_read_and_a_dash_is_none(tmp_path: Path) -> None:
    stats = {
        "numberOfRequests": {"total": "4", "ok": "0", "ko": "4"},
        "meanResponseTime": {"total": "5", "ok": "-", "ko": "5"},
        "maxResponseTime": {"total": "9", "ok": "-", "ko": "9"},
    }
    path = written(tmp_path, stats)
    assert value_of(path, "http", "error_rate") == 1 and value_of(path, "http", "mean") == math.inf
    with pytest.raises(UsageError, match="'total' should be a number"):
        read_file(written(tmp_path, stats | {"numberOfRequests": {"total": "many"}}))


@pytest.mark.parametrize(
    "line",
    [
        "REQUEST\t\tHome\t1764600000000\t1764600000",
        "REQUEST\t\tHome\tnow\tlater\tOK\t ",
        "GROUP\tCheckout\t1764600000000\tOK",
        "ERROR\tsomething",
        "WHATEVER\t1",
        "REQUEST\t\tHome\t1764600000900\t1764600000000\tOK\t ",
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match=r"simulation\.log:11: "):
        read_file(written(tmp_path, LOG.read_text() + line + "\n", "simulation.log"))
