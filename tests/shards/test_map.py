"""The map: adoption without moving anything, changes that keep every club in its place."""

from hypothesis import given
from hypothesis import strategies as st

from dbz.shards.legacy import legacy_hash
from dbz.shards.map import Fence, ShardMap, legacy_map
from dbz.shards.plan.balance import spread_slots

NAMES = tuple(f"shard_{number}" for number in range(12))
clubs = st.lists(st.text(max_size=12), unique=True, max_size=40)


@given(st.integers(1, 12), st.text())
def test_the_first_map_leads_where_the_app_does(count: int, club_id: str) -> None:
    assert legacy_map(NAMES[:count]).shard_of(club_id) == NAMES[legacy_hash(club_id) % count]


@given(clubs, st.data())
def test_a_placed_club_is_found_and_nothing_else_moves(known: list[str], data: st.DataObject) -> None:
    before = legacy_map(NAMES[:3])
    places = data.draw(st.dictionaries(st.sampled_from(known), st.sampled_from(NAMES[:3]))) if known else {}
    after = before.placing(places)
    assert after.epoch == before.epoch + 1
    for club_id in known:
        assert after.shard_of(club_id) == places.get(club_id, before.shard_of(club_id))
    home = after.placing({club_id: before.shard_of(club_id) for club_id in places})
    assert not home.clubs, "a club that lies where its slot says needs no entry"


@given(clubs, st.integers(1, 5), st.integers(0, 5))
def test_new_owners_of_slots_move_no_known_club(known: list[str], before_count: int, more: int) -> None:
    before = legacy_map(NAMES[:before_count])
    shards = NAMES[: before_count + more]
    owners = [shards[at] for at in spread_slots(before.slots, len(shards))]
    after = before.reslotted(shards, owners, known)
    assert all(after.shard_of(club_id) == before.shard_of(club_id) for club_id in known)
    assert after.shard_of("a new club") in shards


@given(st.integers(1, 12), st.integers(1, 12))
def test_slots_are_spread_evenly_with_the_fewest_changes(before_count: int, after_count: int) -> None:
    owners = legacy_map(NAMES[:before_count]).slots
    closed = range(after_count, before_count)
    spread = spread_slots(owners, max(before_count, after_count), closed)
    held = [spread.count(at) for at in range(after_count)]
    assert sum(held) == len(owners) and max(held) - min(held) <= 1
    changed = sum(before != after for before, after in zip(owners, spread, strict=True))
    least = sum(
        max(0, list(owners).count(at) - held[at]) if at < after_count else list(owners).count(at)
        for at in range(before_count)
    )
    assert changed == least


def test_a_map_survives_being_stored_whatever_the_clubs_are_called() -> None:
    odd = ["", "a.b", "$set", "\x00", "배드민턴"]
    first = legacy_map(NAMES[:2], "here").placing(dict.fromkeys(odd, NAMES[0]) | {"x": NAMES[1]})
    stored = first.next(fenced={"a.b": Fence("m1", 0.5)}, pinned=frozenset(odd), closed={3: Fence("m2", 0.5)})
    assert ShardMap.from_document(stored.document()) == stored


def test_fences_hold_their_club_and_closed_slots_only_clubs_without_an_entry() -> None:
    plain = legacy_map(NAMES[:2])
    slot = plain.slot_of("new")
    settled = plain.next(clubs={"new": 0}, closed={slot: Fence("m", 0.5)}, fenced={"other": Fence("n", 0.1)})
    assert settled.fence_of("new") is None
    assert settled.fence_of("other") == Fence("n", 0.1)
    assert settled.next(clubs={}).fence_of("new") == Fence("m", 0.5)
    assert plain.fence_of("new") is None


def test_what_was_looked_up_is_not_remembered_by_the_next_map() -> None:
    first = legacy_map(NAMES[:2])
    other = NAMES[1 - NAMES.index(first.shard_of("club"))]
    assert first.placing({"club": other}).shard_of("club") == other
