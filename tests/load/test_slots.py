"""Slots are given back and used again; in clubs nobody has the place of somebody else, however the population grows."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dbz.load.planning.slots import Slots, place_in_clubs


@given(comings=st.lists(st.booleans(), max_size=200), workers=st.integers(1, 4))
def test_no_two_users_have_the_same_slot_and_the_lowest_ones_are_used(comings: list[bool], workers: int) -> None:
    of_worker = [Slots(worker, workers) for worker in range(workers)]
    there: list[tuple[int, int]] = []
    most = 0
    for turn, comes in enumerate(comings):
        if comes or not there:
            worker = turn % workers
            there.append((worker, of_worker[worker].take()))
        else:
            worker, slot = there.pop(turn % len(there))
            of_worker[worker].give_back(slot)
        most = max([most, *Counter(worker for worker, _ in there).values()])
        slots = [slot for _, slot in there]
        assert len(set(slots)) == len(slots)
        assert max(slots, default=0) < max(most, 1) * workers


@given(users=st.integers(1, 800), clubs=st.integers(1, 12), per_club=st.floats(1, 90))
def test_users_fill_one_club_after_another(users: int, clubs: int, per_club: float) -> None:
    places = [place_in_clubs(slot, clubs, per_club) for slot in range(users)]
    assert len(set(places)) == users
    assert [club for club, _ in places] == sorted(club for club, _ in places)
    sizes = Counter(club for club, _ in places)
    full = [sizes[club] for club in range(min(max(sizes), clubs - 1))]
    assert all(abs(size - per_club) <= 1 for size in full)


@given(users=st.integers(1, 800), clubs=st.integers(1, 12))
def test_else_they_go_round_all_clubs(users: int, clubs: int) -> None:
    places = [place_in_clubs(slot, clubs) for slot in range(users)]
    assert len(set(places)) == users
    sizes = Counter(club for club, _ in places)
    assert max(sizes.values()) - (min(sizes.values()) if users >= clubs else 0) <= 1
