"""Whatever lies in Redis, or is typed: an answer or one clear message, never an error of dbz itself."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbz.cache.admin.connect import check_database
from dbz.cache.admin.entries import StoredEntry
from dbz.cache.admin.selection import _snippets, selection
from dbz.errors import UsageError
from tests.cache.conftest import RedisServer
from tests.cli.running import run_dbz_raw

VALUES: dict[bytes, bytes] = {
    b"plain": b'{"club_id": "c1", "n": 1}',
    b"\xff\xfe\x80": b'{"club_id": "c1"}',
    b"nul\x00key": b"{}",
    "surrogate\ud800".encode(errors="surrogatepass"): b"{}",
    b"big": b'{"n": 36893488147419103232, "m": 1e999}',
    b"digits": b'{"n": ' + b"9" * 5000 + b"}",
    b"deep": b"[" * 5000 + b"]" * 5000,
    b"nested": b"[" * 400 + b"]" * 400,
    b"half": b'{"name": "\\ud800"}',
    b"nan": b"[NaN, Infinity]",
    b"bytes": bytes(range(256)),
    b"empty": b"",
}


@pytest.fixture
def odd(redis_server: RedisServer) -> Any:
    client = redis.Redis.from_url(redis_server.url)
    client.flushall()
    for key, value in VALUES.items():
        client.set(b"cache:" + key, value)
    client.rpush("cache:list", "a")
    client.hset("{cache:}statistics", "host:1:x", "no JSON")
    yield client
    client.flushall()
    client.close()


def cache(redis_server: RedisServer, folder: Path, *arguments: str | bytes) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "REDIS_URL": redis_server.url, "DBZ_STATE_DIR": str(folder), "NO_COLOR": "1"}
    done = run_dbz_raw(["cache", *arguments], folder, env)
    assert b"Traceback" not in done.stderr and b"an error in dbz itself" not in done.stderr, done.stderr
    return done


def test_get_prints_every_value_as_it_is(odd: Any, redis_server: RedisServer, tmp_path: Path) -> None:
    """65-bit integers keep their digits; what is no JSON, or would not be after printing, comes as its text."""
    for key, words in ((b"big", b"1e999"), (b"\xff\xfe\x80", b"c1"), (b"half", b"\\ud800"), (b"nan", b"NaN")):
        done = cache(redis_server, tmp_path, "get", key)
        assert done.returncode == 0 and words in done.stdout, (key, done.stdout, done.stderr)
    for key in (name for name in VALUES if b"\x00" not in name):
        done = cache(redis_server, tmp_path, "get", "--json", key)
        assert done.returncode == 0 and json.loads(done.stdout)["value_bytes"] == len(VALUES[key])
    odd.set("cache:exact", '{"n": 36893488147419103233}')
    assert json.loads(cache(redis_server, tmp_path, "get", "exact").stdout) == {"n": 36893488147419103233}


def test_keys_that_are_no_utf_8_are_listed_counted_and_removed(
    odd: Any, redis_server: RedisServer, tmp_path: Path
) -> None:
    assert cache(redis_server, tmp_path, "stats").returncode == 0
    assert cache(redis_server, tmp_path, "stats", "--json").returncode == 0
    assert cache(redis_server, tmp_path, "ttl", "*").returncode == 0
    assert cache(redis_server, tmp_path, "ttl", b"\xff*", "--json").returncode == 0
    assert cache(redis_server, tmp_path, "invalidate", "--tag", b"club_id:\xff", "--dry-run").returncode == 0
    done = cache(redis_server, tmp_path, "invalidate", b"\xff*", "--yes")
    assert done.returncode == 0 and odd.exists(b"cache:\xff\xfe\x80") == 0 and odd.exists(b"cache:plain") == 1
    assert cache(redis_server, tmp_path, "invalidate", "--club", "c1", "--yes", "--json").returncode == 0
    assert odd.exists(b"cache:plain") == 0
    assert cache(redis_server, tmp_path, "invalidate", "*", "--yes").returncode == 0
    assert odd.keys("cache:*") == []


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(), st.recursive(st.none() | st.floats() | st.integers() | st.text(), st.lists).map(repr)))
def test_any_value_can_be_shown(value: bytes | str) -> None:
    data = value if isinstance(value, bytes) else value.encode(errors="surrogatepass")
    entry = StoredEntry("k", "string", data, None, 1)
    json.dumps(entry.document(), indent=2, allow_nan=False)


@given(st.text(min_size=1).filter(lambda name: ":" not in name), st.text(min_size=1))
def test_any_tag_is_a_selection(name: str, value: str) -> None:
    assert selection([], [], [f"{name}:{value}"]).fields == ((name, value),)
    assert _snippets(name.encode(errors="replace").decode(), value.encode(errors="replace").decode())


@pytest.mark.parametrize(
    "path", ["stage", "0x3", "3.0", "-1", "1/2", "%31/2", "٣", " 1", "1" * 40, "0/", "?db=x", "?db="]
)
@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_path_that_is_no_database_number_is_refused(path: str, scheme: str) -> None:
    with pytest.raises(UsageError, match="is not the number of a database"):
        check_database(f"{scheme}://user:secret@host:6379/{path}")


@pytest.mark.parametrize(
    "url",
    [
        "redis://host",
        "redis://host/",
        "redis://host:1/0",
        "rediss://u:p%2Fq@host:6380/12?ssl_ca_certs=x",
        "redis://host?db=3",
        "unix:///var/run/redis.sock?db=2",
        "unix://user:pw@/run/redis.sock",
    ],
)
def test_what_names_a_database_or_none_is_taken(url: str) -> None:
    check_database(url)


def test_nothing_is_removed_where_the_database_is_no_number(
    odd: Any, redis_server: RedisServer, tmp_path: Path
) -> None:
    before = odd.dbsize()
    for path in ("stage", "1/2"):
        done = cache(redis_server, tmp_path, "invalidate", "*", "--yes", "--redis-url", f"{redis_server.url}/{path}")
        assert done.returncode == 2 and b"is not the number of a database" in done.stderr
    assert odd.dbsize() == before
    assert cache(redis_server, tmp_path, "stats", "--redis-url", f"{redis_server.url}/0").returncode == 0
