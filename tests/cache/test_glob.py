"""Globs mean in Python what they mean in Redis."""

from __future__ import annotations

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbz.cache.glob import compile_glob, escape, is_literal
from tests.cache.conftest import RedisServer

_ALPHABET = "abé가𝄞:*?[]^-\\!"
_texts = st.text(_ALPHABET, min_size=1, max_size=7)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=_texts, keys=st.lists(_texts, min_size=1, max_size=8, unique=True))
def test_both_layers_match_the_same_keys(redis_server: RedisServer, pattern: str, keys: list[str]) -> None:
    """What SCAN MATCH finds is what the local layer finds, for any pattern and any keys."""
    with redis.Redis.from_url(redis_server.url, db=3) as client:
        client.flushdb()
        client.mset(dict.fromkeys(keys, "1"))
        remote = {key.decode() for key in client.scan_iter(match=pattern, count=100)}
    assert {key for key in keys if compile_glob(pattern).fullmatch(key)} == remote


@given(_texts)
def test_an_escaped_text_matches_only_itself(text: str) -> None:
    """An id with special characters in it cannot clear other keys."""
    matches = compile_glob(escape(text)).fullmatch
    assert matches(text) and not matches(text + "a") and not matches("a" + text)


@pytest.mark.parametrize(
    ("pattern", "literal"), [("post:1", True), ("post:*", False), ("a[b]", False), ("a\\b", False)]
)
def test_literal_patterns_are_recognised(pattern: str, literal: bool) -> None:
    """A pattern without special characters is removed by name, without a scan."""
    assert is_literal(pattern) is literal


def test_many_stars_do_not_take_long() -> None:
    """A hostile pattern is matched in linear time for each run of stars."""
    assert not compile_glob("*" * 2000 + "x").fullmatch("a" * 2000)
