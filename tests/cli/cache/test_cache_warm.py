"""`dbz cache warm` as a new user tries it, on a running `dbz serve`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import redis

from tests.children.processes import ended, eventually
from tests.cli.running import run_dbz, start_dbz
from tests.cli.serving import Served

WARMUP = """
schema: dbz.warmup/1
warmers:
  - {name: members, collection: users, key: "m:{_id}", ttl: 1h, projection: [name]}
"""


def test_the_server_has_warmed_its_cache_at_start(served: Served) -> None:
    """With the same code and file: a warm-up finds everything there, but for what has changed since."""
    log = (served.folder / "serve-logs" / "server.log").read_text()
    (line,) = [json.loads(text) for text in log.splitlines() if "the cache is warm" in text]
    assert line["keys"] == 1509


def test_it_fills_the_cache_of_the_running_stack_and_prints_a_table(served: Served) -> None:
    served.redis.flushall()
    dry = served.cache("warm", "--dry-run")
    assert dry.returncode == 0 and "Nothing was written" in dry.stdout and not served.redis.keys("cache:post:*")
    done = served.cache("warm")
    assert done.returncode == 0, done.stderr
    for warmer in ("posts", "games", "members", "band", "clubs", "post_lists", "read_marks"):
        assert warmer in done.stdout
    assert f"Warmed  {served.warmable():,} keys" in done.stdout and served.redis.exists("cache:post:club00-p00")
    again = json.loads(served.cache("warm", "--json", "--only", "posts,games").stdout)
    assert again["schema"] == "dbz.warm/1" and again["complete"] and again["keys"] == 0
    assert [one["name"] for one in again["warmers"]] == ["posts", "games"]


def test_a_warm_up_that_was_killed_is_continued(served: Served) -> None:
    """kill -9 half-way; the second run reads only what is left, and all keys are there."""
    served.redis.flushall()
    (served.folder / "w.yaml").write_text(WARMUP)
    command = ["cache", "warm", "--config", "w.yaml", "--rate", "200/s"]
    with ended(start_dbz(command, cwd=served.folder, env=served.env, stdout=subprocess.DEVNULL)) as process:
        assert eventually(lambda: len(served.redis.keys("cache:m:*")) > 200)
        process.kill()
    begun = len(served.redis.keys("cache:m:*"))
    done = json.loads(served.cache("warm", "--config", "w.yaml", "--json", "--rate", "max").stdout)
    assert done["complete"] and done["resumed"] == 1
    assert done["warmers"][0]["documents"] <= 600 - begun + 100 and done["keys"] == 600 - begun
    assert len(served.redis.keys("cache:m:*")) == 600


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_reports_what_was_written_and_exits_130(served: Served, number: signal.Signals) -> None:
    served.redis.flushall()
    (served.folder / "w.yaml").write_text(WARMUP)
    command = ["cache", "warm", "--config", "w.yaml", "--rate", "100/s"]
    pipe = subprocess.PIPE
    with ended(start_dbz(command, cwd=served.folder, env=served.env, stdout=pipe, stderr=pipe, text=True)) as process:
        assert eventually(lambda: served.redis.keys("cache:m:*"))
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
    assert process.returncode == 130 and "Not complete" in out and "goes on from here" in errors
    assert f" {len(served.redis.keys('cache:m:*'))} keys" in out


def test_a_redis_that_dies_half_way_is_reported_with_what_was_written(served: Served, tmp_path: Path) -> None:
    from dbz.children import free_port
    from tests.server.backend import start_redis

    (served.folder / "w.yaml").write_text(WARMUP)
    port = free_port()
    with start_redis(tmp_path, port) as child, redis.Redis(port=port) as client:
        where = ["--redis-url", f"redis://127.0.0.1:{port}", "--mongo-uri", served.mongo_uri]
        command = ["cache", "warm", "--config", "w.yaml", "--rate", "100/s", *where]
        pipe = subprocess.PIPE
        process = start_dbz(command, cwd=served.folder, env=served.env, stdout=pipe, stderr=pipe, text=True)
        assert eventually(lambda: client.keys("cache:m:*"))
        os.kill(child.pid, signal.SIGKILL)
        out, errors = process.communicate(timeout=20)
    assert process.returncode == 3 and "Redis failed" in errors
    assert "Not complete  0 keys" not in out and "Not complete" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "post"], "did you mean 'posts'?"),
        (["--club", "club07"], "unknown club 'club07'"),
        (["--rate", "fast"], "--rate: 'fast' is not a rate"),
        (["--rate", "0/s"], "would never write anything"),
        (["--config", "nowhere.yaml"], "does not exist"),
        (["--database", "empty"], "unknown collection"),
        (["--redis-url", "http://x"], "which document store?"),
        (["--redis-url", "http://x", "--mongo-uri", "mongodb://127.0.0.1:1"], "is not a Redis URL"),
        (["--embedded", "--redis-url", "redis://127.0.0.1"], "leave out"),
    ],
)
def test_wrong_usage_is_one_message_and_exit_code_2(served: Served, arguments: list[str], message: str) -> None:
    done = served.cache("warm", *arguments)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert done.stdout == ""


def test_a_store_that_is_away_is_exit_code_3_and_its_password_stays_secret(served: Served) -> None:
    secret = "redis://user:geheim@127.0.0.1:1"
    done = served.cache("warm", "--mongo-uri", served.mongo_uri, REDIS_URL=secret)
    assert done.returncode == 3 and "cannot be reached" in done.stderr and "geheim" not in done.stderr


def test_without_any_store_the_message_says_how_to_get_one(tmp_path: Path) -> None:
    env = {**os.environ, "DBZ_STATE_DIR": str(tmp_path), "REDIS_URL": "", "MONGODB_URI": ""}
    done = run_dbz(["cache", "warm"], tmp_path, env)
    assert done.returncode == 2 and "dbz serve" in done.stderr and "--embedded" in done.stderr


def test_a_trial_without_any_store(tmp_path: Path) -> None:
    """`--embedded` brings demo data of its own, and leaves nothing behind."""
    env = {**os.environ, "DBZ_STATE_DIR": str(tmp_path), "TMPDIR": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1"}
    done = run_dbz(["cache", "warm", "--embedded", "--json", "--rate", "max"], tmp_path, env, timeout_s=90)
    assert done.returncode == 0, done.stderr
    warmed = json.loads(done.stdout)
    assert warmed["complete"] and warmed["keys"] == 1509
    assert not list(tmp_path.iterdir())


def test_a_club_is_warmed_with_all_that_invalidating_it_would_find(served: Served) -> None:
    served.redis.flushall()
    warmed = json.loads(served.cache("warm", "--club", "club01", "--json").stdout)
    found = json.loads(served.cache("invalidate", "--club", "club01", "--dry-run", "--json").stdout)
    assert warmed["keys"] == found["keys"] == len(served.redis.keys("cache:*")) and warmed["complete"]
    families = {"post", "game", "member", "band", "club", "read_marks", "query:posts", "query:games", "query:members"}
    assert set(found["families"]) == families
