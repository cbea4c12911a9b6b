"""Locust and dbz agree on what a Locust file did: how much, where, and whether it failed."""

from __future__ import annotations

import pytest

from tests.load.locust_agreement import by_dbz, by_locust, disagreement

SHORT = ("hosts", "judged", "listeners", "own_client", "raises", "start_and_stop", "tags", "weights")
"""The others are run by `python -m tests.load.locust_agreement`."""


@pytest.mark.parametrize("name", SHORT)
def test_locust_and_dbz_agree(name, tmp_path):
    (tmp_path / "locust").mkdir()
    (tmp_path / "dbz").mkdir()
    locust, dbz = by_locust(name, tmp_path / "locust"), by_dbz(name, tmp_path / "dbz")
    assert disagreement(name, locust, dbz) == "", (locust.output, dbz.output)
