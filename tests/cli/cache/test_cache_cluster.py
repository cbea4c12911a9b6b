"""`dbz cache` on a real Redis Cluster."""

from __future__ import annotations

import json

import pytest

from tests.cache.clusters import cluster as cluster
from tests.cli.commands import unknown_steps
from tests.cli.serving import Served

WARMUP = """
schema: dbz.warmup/1
warmers:
  - name: members
    collection: users
    shared: true
    key: "member:{_id}"
    ttl: 1h
    projection: [_id, club_id, name, joined_at]
    version: joined_at
"""


@pytest.fixture
def where(served: Served, cluster: str) -> list[str]:
    (served.folder / "versions.yaml").write_text(WARMUP)
    served.cache("invalidate", "*", "--yes", "--redis-url", cluster)
    return ["--redis-url", cluster]


def test_warming_looking_and_invalidating(served: Served, where: list[str]) -> None:
    stores = [*where, "--mongo-uri", served.mongo_uri]
    plan = json.loads(served.cache("warm", "--dry-run", "--json", *stores).stdout)
    done = json.loads(served.cache("warm", "--json", *stores).stdout)
    assert unknown_steps(done) == []
    assert done["complete"] and done["keys"] == served.warmable() and plan["fits"]
    assert served.cache("warm", *stores).stdout.count("there already") == 9
    assert json.loads(served.cache("get", "club:club00", *where).stdout)["member_count"] == 200
    assert json.loads(served.cache("ttl", "member:*", "--json", *where).stdout)["keys"] == 600
    stats = json.loads(served.cache("stats", "--json", *where).stdout)
    assert len(stats["servers"]) == 3 and {one["name"]: one["keys"] for one in stats["families"]}["member"] == 600
    found = json.loads(served.cache("invalidate", "--club", "club01", "--dry-run", "--json", *where).stdout)
    assert found["families"]["member"] == 200 and found["families"]["club"] == 1
    removed = json.loads(served.cache("invalidate", "*", "--yes", "--json", *where).stdout)
    assert (removed["removed"], removed["complete"], unknown_steps(removed)) == (done["keys"], True, [])
    assert served.cache("get", "club:club00", *where).returncode == 1


def test_a_warmer_with_a_version_replaces_what_is_older(served: Served, where: list[str]) -> None:
    stores = ["--config", "versions.yaml", *where, "--mongo-uri", served.mongo_uri, "--json"]
    first = json.loads(served.cache("warm", *stores).stdout)
    again = json.loads(served.cache("warm", *stores).stdout)
    assert (first["keys"], again["keys"], again["warmers"][0]["skipped"]["present"]) == (600, 0, 600)


def test_bench_wants_a_single_server(served: Served, where: list[str]) -> None:
    done = served.cache("bench", *where)
    assert done.returncode == 2 and "Redis Cluster" in done.stderr
