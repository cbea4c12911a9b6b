"""`dbz cache bench` on a running `dbz serve`."""

from __future__ import annotations

import json

from tests.cli.serving import Served


def test_it_measures_and_leaves_nothing_behind(served: Served) -> None:
    before = set(served.redis.keys("*bench*"))
    found = json.loads(served.cache("bench", "--json").stdout)
    assert found["schema"] == "dbz.cache-bench/1" and found["warm_per_s"] > 0 and found["invalidation_p99_ms"] > 0
    assert not set(served.redis.keys("*bench*")) - before


def test_another_machine_is_asked_for_first(served: Served) -> None:
    done = served.cache("bench", "--redis-url", "redis://cache.example:6379")
    assert done.returncode == 2 and "--yes" in done.stderr
