"""`dbz cache stats`, `get` and `ttl` on a running `dbz serve`."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from tests.children.processes import ended
from tests.cli.running import start_dbz
from tests.cli.serving import Served


@pytest.fixture
def warmed(served: Served) -> Served:
    served.redis.flushall()
    assert served.cache("warm").returncode == 0
    return served


def test_stats_show_servers_families_and_processes(warmed: Served) -> None:
    shown = warmed.cache("stats").stdout
    for text in ("Servers", "noeviction", "Families", "query:posts", "member", "p50"):
        assert text in shown
    document = json.loads(warmed.cache("stats", "--json").stdout)
    assert document["schema"] == "dbz.cache-stats/1" and document["exact"]
    assert {one["name"]: one["keys"] for one in document["families"]}["member"] == 600


def test_watching_goes_on_until_it_is_interrupted(warmed: Served) -> None:
    command = ["cache", "stats", "--watch", "--interval", "200ms", "--json"]
    with ended(
        start_dbz(command, cwd=warmed.folder, env=warmed.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ) as one:
        assert one.stdout is not None
        looks = [json.loads(one.stdout.readline()) for _ in range(3)]
        one.send_signal(signal.SIGINT)
        _, errors = one.communicate(timeout=20)
    assert one.returncode == 0, errors
    assert {look["schema"] for look in looks} == {"dbz.cache-stats/1"}


def test_a_value_goes_to_stdout_and_what_is_known_of_it_to_stderr(warmed: Served) -> None:
    done = warmed.cache("get", "query:posts:club00:1:20::")
    assert done.returncode == 0 and json.loads(done.stdout)["total"] == 56
    assert "expires in" in done.stderr
    missing = warmed.cache("get", "post:none")
    assert missing.returncode == 1 and missing.stdout == "" and "no value" in missing.stderr
    assert json.loads(warmed.cache("get", "club:club00", "--json").stdout)["schema"] == "dbz.cache-entry/1"


def test_lives_of_keys(warmed: Served) -> None:
    done = warmed.cache("ttl", "post:*", "--limit", "3")
    assert done.returncode == 0 and done.stdout.count("post:") == 3 and "keys, p10" in done.stdout
    document = json.loads(warmed.cache("ttl", "band:*", "--json").stdout)
    assert (document["schema"], document["keys"], document["endless"]) == ("dbz.cache-ttl/1", 3, 0)
    assert warmed.cache("ttl", "nothing:*").returncode == 1


@pytest.mark.parametrize("interval", ["soon", "0s"])
def test_a_wrong_interval_is_named(served: Served, interval: str) -> None:
    done = served.cache("stats", "--watch", "--interval", interval)
    assert done.returncode == 2 and "--interval" in done.stderr


def test_what_makes_no_sense_is_said(warmed: Served) -> None:
    alone = warmed.cache("stats", "--interval", "1s")
    assert alone.returncode == 2 and "--watch" in alone.stderr
    glob = warmed.cache("get", "post:*")
    assert glob.returncode == 1 and "dbz cache ttl 'post:*'" in glob.stderr
