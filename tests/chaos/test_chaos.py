"""A few rounds of chaos for the cache and for scaling; many with `make chaos`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.chaos.caching import cache_chaos
from tests.chaos.scaling import scale_chaos
from tests.cloud.clouds import RunningCloud

ROUNDS = int(os.environ.get("DBZ_CHAOS_ROUNDS", "2"))
SEED = int(os.environ.get("DBZ_CHAOS_SEED", "1"))


def say(line: str) -> None:
    if "DBZ_CHAOS_ROUNDS" in os.environ:
        sys.stderr.write(line + "\n")


@pytest.mark.timeout(300 + 120 * ROUNDS)
def test_no_trouble_of_redis_makes_the_cache_wrong(tmp_path: Path) -> None:
    assert cache_chaos(tmp_path, ROUNDS, SEED, say) == []


@pytest.mark.timeout(300 + 180 * ROUNDS)
def test_nothing_is_half_applied_without_the_journal_knowing(cloud: RunningCloud, tmp_path: Path) -> None:
    assert scale_chaos(cloud, tmp_path, ROUNDS, SEED, say) == []
