"""Filters and orders that people type: taken, or refused with one clear line, never an error of dbz itself."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from bson import encode
from bson.json_util import dumps
from hypothesis import example, given
from hypothesis import strategies as st

from dbz.bson_order import sort_key
from dbz.errors import UsageError
from dbz.filters import parse_filter
from dbz.shards.map import legacy_map
from dbz.shards.query import parse_order, query_all
from tests.shards.stores import World

TYPES = ["$oid", "$date", "$numberLong", "$numberDecimal", "$numberDouble", "$binary", "$uuid", "$regex", "$code",
         "$timestamp", "$minKey", "$symbol", "$dbPointer", "$ref", "$undefined", "$regularExpression"]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800") | st.just("zz")
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(TYPES), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(st.one_of(st.text(), values.map(json.dumps)))
@example("[" * 100_000)
@example('{"a": ' * 500 + "1" + "}" * 500)
@example('{"_id": {"$oid": "zz"}}')
@example('{"a": {"$numberDecimal": "abc"}}')
@example('{"a": {"$date": 1e30}}')
@example('{"a": 99999999999999999999999}')
@example('{"a": ' + "9" * 5000 + "}")
@example('{"a\\u0000b": 1}')
def test_any_text_is_a_filter_that_can_be_sent_or_is_refused_in_a_line(text: str) -> None:
    try:
        found = parse_filter(text)
    except ValueError as error:
        (line,) = str(error).splitlines()
        assert line.startswith("the filter") and len(line) < 300 and line.isprintable()
    else:
        encode(found)


@given(st.text())
@example("title:-1")
@example("title:1,_id")
@example("title desc")
@example("a..b")
@example("a,a")
@example("-")
@example("$natural")
@example("\ud800")
def test_any_text_is_an_order_of_fields_or_is_refused(text: str) -> None:
    with suppress(ValueError):
        order = parse_order(text)
        encode(dict(order))
        assert order and len(dict(order)) == len(order)


@pytest.mark.parametrize(
    "text", ["title:-1", "title:1", "title:desc", "title ASC", "a,b:1", "a..b", ".a", "a,,b", "$a", "a,-a"]
)
def test_what_is_no_order_is_not_taken_for_a_field(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_order(text)


@pytest.mark.parametrize(
    "text", ['{"$foo": 1}', '{"a": {"$in": 1}}', '{"a": {"$regex": "("}}', '{"$and": {}}', '{"a": {"$type": 99}}']
)
def test_what_the_store_refuses_is_wrong_usage_and_not_a_store_out_of_reach(world: World, text: str) -> None:
    world.fill({"club00": 3, "club01": 3})
    the_map = legacy_map(["shard_0", "shard_1"])
    with pytest.raises(UsageError, match="the store refuses the query"):
        query_all(world.deployment, "posts", parse_filter(text), [("_id", 1)], 0, 5, lambda: the_map)


def test_dates_beyond_the_years_of_python_are_read_and_ordered() -> None:
    """A store has 64 bits of milliseconds; year 10000 and before year 1 are dates like others there."""
    rows = [parse_filter(f'{{"at": {{"$date": {{"$numberLong": "{ms}"}}}}}}') for ms in (10**15, -(10**14), 0)]
    assert [rows.index(row) for row in sorted(rows, key=lambda row: sort_key(row, [("at", 1)]))] == [1, 2, 0]
    assert all(dumps(row) for row in rows)
    assert sort_key(parse_filter('{"a": {"$numberDecimal": "sNaN"}}'), [("a", 1)])
