"""Locust and dbz agree on what a Locust file did: how much, where, and whether it failed."""

from __future__ import annotations

import re

import pytest

from tests.load.locust_agreement import by_both, by_dbz, disagreement
from tests.whole import some

SHORT = (
    "hosts",
    "judged",
    "listeners",
    "options",
    "own_client",
    "quits_beside",
    "raises",
    "start_and_stop",
    "tags",
    "weights",
)
"""The others are run by `python -m tests.load.locust_agreement`."""


@pytest.mark.parametrize("name", some(SHORT, 4))
def test_locust_and_dbz_agree(name, tmp_path):
    locust, dbz = by_both(name, tmp_path)
    assert disagreement(name, locust, dbz) == "", (locust.output, dbz.output)


def test_workers_that_their_scenario_ends_make_no_run_invalid(tmp_path):
    dbz = by_dbz("quits", tmp_path, workers=2)
    assert (dbz.exit_code, dbz.failures) == (0, 0) and 70 <= dbz.requests <= 90, dbz.output
    assert "The scenario ended the run itself" in dbz.output, "and nobody waited with no users"


def test_users_of_a_worker_that_its_scenario_ends_are_nobody_elses(tmp_path):
    dbz = by_dbz("quits_one", tmp_path, workers=2)
    assert re.search(r"GET /start +[34] ", dbz.output), dbz.output
    assert "The scenario ended the run itself" in dbz.output


def test_a_listener_that_ends_the_program_at_the_end_says_how_that_went(tmp_path):
    locust, dbz = by_both("exits", tmp_path)
    assert locust.exit_code == dbz.exit_code == 1 and locust.hits == dbz.hits, (locust.output, dbz.output)
    assert "process_exit_code to 1" in dbz.output
