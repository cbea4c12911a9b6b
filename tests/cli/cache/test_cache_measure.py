"""`dbz cache warm --measure` on a running `dbz serve`."""

from __future__ import annotations

import json

from tests.cli.serving import Served


def test_it_compares_a_cold_cache_with_a_warmed_one(served: Served) -> None:
    refused = served.cache("warm", "--measure")
    assert refused.returncode == 2 and "made stale twice" in refused.stderr and "--yes" in refused.stderr
    done = served.cache("warm", "--measure", "--yes", "--json", "--rate", "max")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "dbz.warm-comparison/1"
    posts = next(one for one in found["operations"] if one["name"] == "GET /api/posts")
    assert posts["cold_p95_ms"] > 0 and posts["warm_p95_ms"] > 0
    # What the local layers do not have is in Redis when it was warmed, and has to be loaded when it was not.
    assert found["hit_ratio"]["remote"]["warm"] > found["hit_ratio"]["remote"]["cold"]


def test_without_a_server_to_load_it_says_what_is_missing(served: Served) -> None:
    where = ["--redis-url", served.redis_url, "--mongo-uri", served.mongo_uri]
    done = served.cache("warm", "--measure", "--yes", *where)
    assert done.returncode == 2 and "--target" in done.stderr
