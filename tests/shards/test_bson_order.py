"""The order of BSON values against a real server's own sorting."""

import datetime
import secrets
from typing import Any

from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbz.bson_order import order_key, sort_key
from tests.shards.stores import World

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.just(Int64(2**60)),
    st.floats(allow_nan=False, allow_infinity=True, width=16),
    st.just(float("nan")),
    st.just(Decimal128("2.5")),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.just(Binary(b"long", 5)),  # longer than the others: of equal length the embedded store looks at the bytes first
    st.just(ObjectId("0123456789abcdef01234567")),
    st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2030, 1, 1)).map(
        lambda at: at.replace(microsecond=0)
    ),
    st.just(Timestamp(5, 1)),
    st.just(MinKey()),
    st.just(MaxKey()),
)
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(st.sampled_from("ab"), scalars, max_size=2))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(values, st.just(...)), min_size=2, max_size=12), st.sampled_from([1, -1]))
def test_documents_sort_as_the_server_sorts_them(world: World, given_: list[Any], direction: int) -> None:
    there = world.deployment.shard("shard_0")[secrets.token_hex(4)]
    documents = [{"_id": at} if value is ... else {"_id": at, "v": value} for at, value in enumerate(given_)]
    there.insert_many(documents)
    stored = list(there.find())
    order = [("v", direction), ("_id", 1)]
    assert [row["_id"] for row in sorted(stored, key=lambda row: sort_key(row, order))] == [
        row["_id"] for row in there.find().sort(order)
    ]
    there.drop()


def test_every_type_has_its_place() -> None:
    ascending = [MinKey(), None, 1, "a", {"a": 1}, [1], b"a", ObjectId(), False, datetime.datetime.now(datetime.UTC)]
    ascending += [Timestamp(1, 1), Regex("a"), MaxKey()]
    keys = [order_key(value) for value in ascending]
    assert keys == sorted(keys)


def test_binary_data_goes_by_length_then_subtype_then_bytes() -> None:
    keys = [order_key(value) for value in (b"z", Binary(b"a", 5), b"aa", b"ab")]
    assert keys == sorted(keys)
