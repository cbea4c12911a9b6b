"""The warm-up file: what it may say, and what is said about mistakes."""

from __future__ import annotations

import pytest

from dbz.config.source.source import parse_yaml
from dbz.config.warmup import build_warmup, load_warmup
from dbz.errors import ConfigError, UsageError

GOOD = """
schema: dbz.warmup/1
warmers:
  - name: posts
    collection: posts
    key: "post:{_id}"
    ttl: 1h
    projection: [title]
"""
LIST = """
  - name: lists
    collection: posts
    list: {limits: [10]}
    key: "query:{club_id}:{page}:{limit}"
    ttl: 5m
"""


def test_the_bundled_file_has_the_four_warmers_with_the_limits_and_ttls_of_the_plan():
    warmup = load_warmup()
    posts, games, *_ = warmup.only(["posts", "games", "members", "band"])
    assert (posts.limit, posts.ttl, posts.key, games.limit, games.ttl, games.key) == (
        10,
        3600,
        "post:{_id}",
        20,
        1800,
        "game:{_id}",
    )
    assert {one.name: one.ttl for one in warmup.only(["post_lists", "game_lists"])} == {
        "post_lists": 300,
        "game_lists": 120,
    }


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("ttl: 1h", "ttl: 0s", 7, "greater than 0"),
        ("ttl: 1h", "ttl: 0", 7, "0 has no unit"),
        ("{_id}", "{_id", 6, "is not a key"),
        ("{_id}", "{}", 6, "is not a field"),
        ("{_id}", "fixed", 6, "names no field"),
        ("{_id}", "{_id!r}", 6, "a field stands alone"),
        ("projection: [title]", "projectoin: [title]", 8, "did you mean 'projection'?"),
        ("projection: [title]", "about: nothing", 4, "'projection' is missing"),
        ("[title]", "{likes: {sum: likes}}", 8, "is not a field name nor one of"),
        ("[title]", "{likes: {count: 1}}", 8, "string"),
        ("[title]", "[title]\n    version: at", 4, "version 'at' is not a name of the projection"),
        ("[title]", "[title]\n    limit: 3", 4, "'limit' needs"),
        ("[title]", "[title]" + LIST.replace("{page}", "{pages}"), 9, "cannot name {pages}"),
        ("[title]", "[title]" + LIST.replace(":{limit}", ""), 9, "must name {limit}"),
        ("[title]", "[title]" + LIST.replace("[10]", "[10], rows: post"), 11, "did you mean 'posts'?"),
        ("[title]", "[title]" + LIST.replace("lists", "posts"), 9, "is there twice"),
    ],
)
def test_a_mistake_is_named_with_its_line(old, new, line, message):
    with pytest.raises(ConfigError) as raised:
        build_warmup(parse_yaml(GOOD.replace(old, new), "w.yaml"))
    assert message in raised.value.message
    assert f"w.yaml:{line}:" in raised.value.message


def test_all_problems_are_told_at_once():
    text = GOOD.replace("1h", "0s").replace("name: posts", "name: 1posts").replace("{_id}", "x")
    with pytest.raises(ConfigError) as raised:
        build_warmup(parse_yaml(text, "w.yaml"))
    assert len(raised.value.problems) == 3


def test_an_unknown_warmer_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'members'"):
        load_warmup().only(["posts", "member"])


def test_the_rate_may_be_without_limit():
    assert build_warmup(parse_yaml(GOOD + "rate: max\n", "w.yaml")).rate is None
