"""Club ids of every BSON type: one text each, the app's hash, and the same life as clubs whose ids are texts."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import uuid
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from hypothesis import given
from hypothesis import strategies as st

from dbz.shards.club_id import club_hash, club_text, club_value
from dbz.shards.legacy import legacy_hash
from dbz.shards.plan.adoption import adopt
from dbz.shards.plan.document import Request
from dbz.shards.plan.from_stores import plan_now
from tests.shards.moves import findings, working
from tests.shards.stores import World

OID = ObjectId("65f0c0ffee0123456789abcd")
IDS: list[Any] = [
    "club",
    "42",
    '{"$oid":"x"}',
    42,
    -7,
    2**62,
    1.5,
    OID,
    Binary.from_uuid(uuid.UUID(int=7)),
    dt.datetime(2026, 1, 1),
    True,
]

ids = st.one_of(
    st.text(),
    st.text().map(lambda text: '{"$' + text),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.uuids(),
    st.binary().map(Binary),
    st.booleans(),
)


@given(ids)
def test_an_id_and_its_text_are_one(value: Any) -> None:
    text = club_text(value)
    assert text is not None
    back = club_value(text)
    assert club_text(back) == text
    assert back == value or isinstance(value, uuid.UUID | Binary)
    assert 0 <= club_hash(text) <= 2**31


@given(ids, ids)
def test_different_ids_have_different_texts(one: Any, other: Any) -> None:
    def comparable(value: Any) -> Any:
        kind = "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
        return kind, value

    assert (club_text(one) == club_text(other)) == (comparable(one) == comparable(other))


def test_numbers_that_the_store_takes_for_equal_are_one_club() -> None:
    assert {club_text(value) for value in (42, Int64(42), 42.0, Decimal128("42"), Decimal128("42.0"))} == {
        '{"$number":"42"}'
    }


@pytest.mark.parametrize("value", [None, [], {}, float("nan"), float("inf"), Decimal128("NaN")])
def test_what_is_no_id(value: Any) -> None:
    assert club_text(value) is None


@pytest.mark.parametrize("text", ['{"$', '{"$oid":"zz"}', '{"$number":"x"}', '{"$what":"1"}', '{"$bson":"-"}'])
def test_a_text_that_only_looks_like_an_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not the id of a club"):
        club_value(text)


def test_hashes_are_those_of_string_in_javascript() -> None:
    texts = ["club", "42", "-7", "4611686018427388000", "1.5", str(OID), str(uuid.UUID(int=7))]
    for text, value in zip(texts, ["club", 42, -7, None, 1.5, OID, uuid.UUID(int=7)], strict=True):
        if value is not None:
            assert club_hash(club_text(value) or "") == legacy_hash(text)
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    script = """const h=s=>{let v=0;for(let i=0;i<s.length;i++)v=((v<<5)-v+s.charCodeAt(i))|0;return Math.abs(v)};
    console.log([42,-7,1.5,'club'].map(x=>h(String(x))).join())"""
    told = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True).stdout.strip()
    assert told == ",".join(str(club_hash(club_text(value) or "")) for value in (42, -7, 1.5, "club"))


def test_clubs_of_all_types_are_adopted_moved_verified_and_found(world: World) -> None:
    for value in IDS:
        shard = world.deployment.shard(f"shard_{club_hash(club_text(value) or '') % 2}")
        for name in ("posts", "messages"):
            shard[name].insert_many([{"club_id": value, "n": n} for n in range(5)])
    adopt(world.deployment)
    texts = {club_text(value) for value in IDS}
    pin = {text: "shard_2" for text in texts if text}
    plan = plan_now(world.deployment, Request(add=("shard_2",), pin=pin), None)
    assert {move.club for move in plan.moves} == texts
    with working(world) as (work, control, _):
        work.begin(plan)
        outcome = work.run()
        assert len(outcome.done) == len(IDS) and not outcome.failed
        assert {control.map().shard_of(text) for text in pin} == {"shard_2"}
    for value in IDS:
        assert world.deployment.shard("shard_2")["posts"].count_documents({"club_id": value}) == 5
    assert findings(world) == []


def test_a_number_that_is_typed_means_the_club_with_that_number(world: World) -> None:
    for value in (42, OID):
        shard = world.deployment.shard(f"shard_{club_hash(club_text(value) or '') % 2}")
        shard["posts"].insert_one({"club_id": value})
    plan = plan_now(world.deployment, Request(add=("shard_2",), pin={"42": "shard_2", str(OID): "shard_2"}), None)
    assert {move.club for move in plan.moves} == {'{"$number":"42"}', f'{{"$oid":"{OID}"}}'}
