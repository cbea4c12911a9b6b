"""vegeta and oha, by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from dbz.errors import ExitCode
from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import FILES, budget, judged, value_of, written

VEGETA: dict[str, Any] = json.loads((FILES / "vegeta.json").read_text())
OHA: dict[str, Any] = json.loads((FILES / "oha.json").read_text())


def test_the_rate_of_vegeta_is_that_of_successes_until_the_last_answer(tmp_path: Path) -> None:
    slow = {"requests": 3000, "rate": 100, "throughput": 50, "success": 1, "status_codes": {"200": 3000}}
    slow |= {"duration": 30_000_000_000, "wait": 30_000_000_000}
    path = written(tmp_path, VEGETA | slow)
    assert value_of(path, "http", "rate") == 50 and judged([path], budget("http", "rate", ">= 90/s"))[0] == 1
    older = {key: value for key, value in (VEGETA | slow).items() if key != "throughput"}
    assert value_of(written(tmp_path, older), "http", "rate") == 50
    single = VEGETA | {"requests": 1, "rate": 1, "throughput": 1, "duration": 0, "status_codes": {"200": 1}}
    assert value_of(written(tmp_path, single), "http", "rate") is None


def test_vegeta_counts_what_got_no_answer_and_what_was_refused(tmp_path: Path) -> None:
    codes = {"0": 100, "200": 1700, "302": 100, "429": 50, "503": 50}
    path = written(tmp_path, VEGETA | {"status_codes": codes, "success": 0.9})
    assert value_of(path, "http", "error_rate") == pytest.approx(0.1)
    assert value_of(path, "http", "count") == 1800 and value_of(path, "http", "p95") == math.inf
    # Old reports may lack codes: the share of successes is there.
    assert value_of(written(tmp_path, VEGETA | {"status_codes": {}, "success": 0.5}), "errors", "error_rate") == 0.5


def test_an_attack_without_a_request_measured_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, VEGETA | {"requests": 0, "status_codes": {}, "success": 0})
    assert judged([path], budget("http", "p95", "< 1s"))[0] == 4


def test_what_oha_broke_off_is_named(tmp_path: Path) -> None:
    hung = OHA | {"statusCodeDistribution": {"200": 10}, "errorDistribution": {"aborted due to deadline": 40}}
    path = written(tmp_path, hung)
    assert value_of(path, "http", "error_rate") == 0 and "broke 40 requests off" in read_file(path).notes[0]
    all_hung = OHA | {"statusCodeDistribution": {}, "errorDistribution": {"aborted due to deadline": 50}}
    assert judged([written(tmp_path, all_hung)], budget("errors", "error_rate", "< 1%", required=True))[0] == 4


def test_oha_without_an_answer_has_nulls_and_no_times(tmp_path: Path) -> None:
    nothing = OHA | {"statusCodeDistribution": {}, "errorDistribution": {"connection refused": 500}}
    nothing["latencyPercentiles"] = dict.fromkeys(OHA["latencyPercentiles"])
    nothing["summary"] = OHA["summary"] | {"slowest": None, "fastest": None, "average": None, "successRate": 0.0}
    path = written(tmp_path, nothing)
    assert value_of(path, "http", "error_rate") == 1 and value_of(path, "http", "p50") == math.inf
    few = OHA | {
        "statusCodeDistribution": {"200": 20},
        "errorDistribution": {},
        "latencyPercentiles": OHA["latencyPercentiles"] | {"p99.9": None, "p99.99": None},
    }
    assert value_of(written(tmp_path, few), "http", "p99.9") is None


def test_oha_with_the_times_of_successes_alone(tmp_path: Path) -> None:
    half = OHA | {"statusCodeDistribution": {"200": 1000, "503": 1000}, "errorDistribution": {}}
    half["latencyPercentiles"] = {"p10": 0.001, "p25": 0.001, "p50": 0.001, "p75": 0.3, "p99": 0.31}
    assert value_of(written(tmp_path, half), "http", "p25") == 300
    half["latencyPercentilesSuccessful"] = {"p25": 0.2, "p50": 0.25, "p99": 0.31}
    assert value_of(written(tmp_path, half), "http", "p25") == 250
    moved = half | {"statusCodeDistribution": {"200": 900, "302": 100, "503": 1000}}
    assert value_of(written(tmp_path, moved), "http", "p25") == 300, "oha calls a redirect not successful"


def test_the_first_versions_of_oha_had_other_names(tmp_path: Path) -> None:
    old = {key: value for key, value in OHA.items() if key not in ("latencyPercentiles", "metrics", "rps")}
    old |= {"latencyDistribution": OHA["latencyPercentiles"], "errorDistribution": {"deadline": 50}}
    old["statusCodeDistribution"] = {"200": 2000}
    path = written(tmp_path, old)
    assert value_of(path, "http", "p95") == pytest.approx(53.3) and value_of(path, "http", "error_rate") == 0
    assert "broke 50 requests off" in read_file(path).notes[0]
    del old["errorDistribution"]
    assert value_of(written(tmp_path, old), "http", "error_rate") is None, "refused connections are not in the file"


def test_files_of_nothing_were_given_budgets_all_the_same(tmp_path: Path) -> None:
    nothing = {"latencies": {"mean": 0}, "requests": 0, "status_codes": {}, "success": 0, "duration": 0}
    code, run = judged([written(tmp_path, nothing)], budget("http", "p95", "< 1s"))
    assert code == ExitCode.INVALID and len(run.budgets) == 1
