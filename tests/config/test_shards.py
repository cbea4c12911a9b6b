"""The shards file: everything that can be wrong in it, with its line."""

import pytest

from dbz.config.shards import build_shards, load_shards
from dbz.config.source.source import parse_yaml
from dbz.errors import ConfigError, UsageError

GOOD = """schema: dbz.shards/1
shards:
  shard_0: A_URI
  shard_1: B_URI
collections:
  posts: club_id
"""


def test_the_bundled_file_is_valid_and_names_every_collection_of_the_server() -> None:
    file = load_shards()
    assert file.names[:2] == ("shard_0", "shard_1") and file.shard_count == 2
    assert set(file.collections.values()) == {"club_id"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("B_URI", "A_URI", "f.yaml:4: shards 'shard_0' and 'shard_1' have the same URI, that of A_URI"),
        ("B_URI", "mongodb://u:p@h", "f.yaml:4: shards.shard_1: URIs hold passwords"),
        ("B_URI", "B-URI", "is not the name of an environment variable"),
        ("shard_1:", "'shard 1':", "cannot be a name"),
        ("shards:\n", "shard_count: 3\nshards:\n", "f.yaml:2: shard_count is 3, but there are 2 shards"),
        ("collections:\n  posts: club_id", "collections: {}", "f.yaml:5: collections"),
        ("posts: club_id", "posts: $club", "f.yaml:6: collections.posts"),
        ("collections", "colections", "did you mean 'collections'?"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_shards(parse_yaml(GOOD.replace(old, new), "f.yaml"))
    assert words in caught.value.message
    assert ":p@" not in caught.value.message


def test_a_variable_that_is_not_set_is_named() -> None:
    file = build_shards(parse_yaml(GOOD, "f.yaml"))
    with pytest.raises(UsageError, match="environment variable B_URI is not set"):
        file.uri_of("shard_1", {"A_URI": "mongodb://h"})
    with pytest.raises(UsageError, match="unknown shard 'shard_l'; did you mean 'shard_1'"):
        file.known("shard_l", "--add")
