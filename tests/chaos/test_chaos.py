"""A few rounds of chaos for the cache and for scaling; many with `make chaos`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.chaos.autoscaling import AutoChaos
from tests.chaos.caching import cache_chaos
from tests.chaos.phases import PhaseChaos
from tests.chaos.scaling import ScaleChaos, chaos_of
from tests.cloud.clouds import RunningCloud

ROUNDS = int(os.environ.get("DBZ_CHAOS_ROUNDS", "0"))
"""Of each kind; 0: a few, as the kind has time for."""
SEED = int(os.environ.get("DBZ_CHAOS_SEED", "1"))


def say(line: str) -> None:
    if ROUNDS:
        sys.stderr.write(line + "\n")


@pytest.mark.timeout(300 + 120 * ROUNDS)
def test_no_trouble_of_redis_makes_the_cache_wrong(tmp_path: Path) -> None:
    assert cache_chaos(tmp_path, ROUNDS or 2, SEED, say) == []


@pytest.mark.timeout(300 + 180 * ROUNDS)
@pytest.mark.parametrize(("kind", "few"), [(ScaleChaos, 2), (PhaseChaos, 1), (AutoChaos, 1)])
def test_nothing_is_half_applied_without_the_journal_knowing(
    kind: type[ScaleChaos | AutoChaos], few: int, cloud: RunningCloud, tmp_path: Path
) -> None:
    assert chaos_of(kind(cloud, tmp_path, SEED), ROUNDS or few, say) == []
