"""Old copies that the stores themselves refuse to write to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import WriteError

from dbz.shards.copies.cleaning import clean
from dbz.shards.copies.store_guard import with_guard, without_guard
from tests.shards.moves import findings, move_club, working
from tests.shards.stores import World

_OWN = {"n": {"$gte": 0}}


@pytest.fixture
def guarded(adopted: World) -> World:
    """A deployment whose file asks for guards, and a collection that has a validator of its own."""
    adopted.deployment.file = adopted.deployment.file.model_copy(update={"guard_old_copies": True})
    for shard in ("shard_0", "shard_1"):  # a club would be refused by a shard with other rules
        adopted.deployment.shard(shard).command("collMod", "messages", validator=_OWN)
    return adopted


def _validator(world: World, collection: str, shard: str = "shard_0") -> object:
    (found,) = world.deployment.shard(shard).list_collections(filter={"name": collection})
    return found.get("options", {}).get("validator", {})


def test_a_store_refuses_writes_to_an_old_copy_until_it_is_cleaned_or_the_club_comes_back(guarded: World) -> None:
    old = guarded.deployment.shard("shard_0")
    move = move_club(guarded, "club00", "shard_0", "shard_2")
    other = move_club(guarded, "club02", "shard_0", "shard_1")
    for collection in ("posts", "messages"):
        with pytest.raises(WriteError, match="validation"):
            old[collection].insert_one({"_id": "past the map", "club_id": "club00", "n": 1})
        with pytest.raises(WriteError, match="validation"):
            old[collection].update_one({"_id": "club02/000001"}, {"$set": {"text": "past the map"}})
        old[collection].insert_one({"_id": "of a club that stayed", "club_id": "club04", "n": 1})
    with pytest.raises(WriteError, match="validation"):
        old["messages"].insert_one({"_id": "against its own rule", "club_id": "club04", "n": -1})
    assert findings(guarded) == []
    with working(guarded) as (work, control, journal):
        assert clean(guarded.deployment, control, journal, other, discard=False).cleaned
        old["posts"].insert_one({"_id": "allowed, if astray", "club_id": "club02"})
        old["posts"].delete_one({"_id": "allowed, if astray"})
        work.undo(move)
        assert not work.run().failed
    old["posts"].insert_one({"_id": "at home again", "club_id": "club00"})
    assert _validator(guarded, "posts") == {} and _validator(guarded, "messages") == _OWN
    assert findings(guarded) == []


@given(st.sampled_from([{}, _OWN, {"$and": [_OWN, _OWN]}, {"club_id": "x"}]), st.sets(st.text(max_size=5), max_size=4))
def test_a_guard_comes_off_a_validator_as_it_went_on(own: dict[str, object], clubs: set[str]) -> None:
    assert without_guard(with_guard(own, "club_id", clubs), "club_id") == own
