"""Bookkeeping of deliveries: every message is delivered, lost or still on its way, and nothing is counted twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.load.generator.deliveries.ledger import DeliveryLedger
from dbz.measure.latency.series import DELIVERY, Series
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import read_record
from tests.load.recorders import recorder_in

SENT, EXPECTED, DELIVERED, LOST, DUPLICATED, OUT_OF_ORDER = range(6)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeliveryLedger]:
    """A room with the members 1, 2 and 3, whose messages are lost at once unless they were received."""
    with recorder_in(tmp_path) as recorder:
        deliveries = DeliveryLedger(recorder, deadline_s=0)
        for member in (1, 2, 3):
            deliveries.join("chat", "room", member)
        yield deliveries


def test_everybody_but_the_sender_is_expected_to_get_a_message(room):
    room.sent("chat", "room", "m1", 1)
    for member in (1, 2, 3):
        room.received("chat", "room", "m1", member)
    room.expire()
    assert room.take_counts()["chat"] == [1, 2, 2, 0, 0, 0]


def test_a_message_that_does_not_arrive_in_time_is_lost_and_an_error(room, tmp_path):
    room.sent("chat", "room", "m1", 1)
    room.received("chat", "room", "m1", 2)
    room.expire()
    assert room.take_counts()["chat"] == [1, 2, 1, 1, 0, 0]
    room._recorder.write({"users": 0})
    record = read_record(RunFolder(tmp_path))
    by_series = {interval.series: len(interval.histogram) for interval in record.intervals}
    assert by_series == {Series(DELIVERY, "chat"): 1, Series(DELIVERY, "chat", failed=True): 1}
    assert record.workers["worker-0"][0]["errors"] == [["delivery", "chat", "not delivered within 0 s", 1]]


def test_a_second_copy_is_a_duplicate_and_no_delivery(room):
    room.sent("chat", "room", "m1", 1)
    for member in (2, 2, 3):
        room.received("chat", "room", "m1", member)
    assert room.take_counts()["chat"] == [1, 2, 2, 0, 1, 0]


def test_a_message_that_reaches_somebody_outside_the_room_is_astray(room):
    room.sent("chat", "room", "m1", 1)
    for member in (1, 2, 3, 3, 9, 9, 8):
        room.received("chat", "room", "m1", member)
    room.join("chat", "room", 8)
    room.expire()
    assert room.take_counts()["chat"] == [1, 2, 2, 0, 1, 0]
    assert room.take_astray() == {"chat": [1]}, "8 came in, and 9 never did; two copies are one that went astray"
    assert room.take_astray() == {}


@given(st.lists(st.tuples(st.sampled_from(("sent", "join", "leave", "receive")), st.integers(1, 5)), max_size=40))
def test_what_everybody_gets_who_is_in_the_room_or_just_left_it_is_never_astray(tmp_path_factory, steps):
    with recorder_in(tmp_path_factory.mktemp("astray")) as recorder:
        ledger, inside, messages, outsiders = DeliveryLedger(recorder, deadline_s=3600), set(), 0, 0
        for what, member in steps:
            if what == "sent":
                messages += 1
                ledger.sent("chat", "room", messages, member)
            elif what == "receive":
                ledger.received("chat", "room", messages, member + (100 if member == 5 else 0))
                outsiders |= bool(messages and member == 5) << messages
            else:
                (ledger.join if what == "join" else ledger.leave)("chat", "room", member)
                inside.add(member)
        for member in set(range(1, 5)) - inside:
            ledger.join("chat", "room", member)
        ledger.abandon()
        assert ledger.take_astray().get("chat", [0]) == [outsiders.bit_count()]


def test_who_joins_while_a_message_is_on_its_way_may_get_it_without_being_counted(room):
    room.sent("chat", "room", "m1", 1)
    room.join("chat", "room", 4)
    for member in (2, 3, 4):
        room.received("chat", "room", "m1", member)
    assert room.take_counts()["chat"] == [1, 2, 2, 0, 0, 0]


def test_an_older_message_after_a_newer_one_of_the_same_sender_is_out_of_order(room):
    room.sent("chat", "room", "m1", 1)
    room.sent("chat", "room", "m2", 1)
    room.sent("chat", "room", "other", 3)
    for key in ("other", "m2", "m1"):
        room.received("chat", "room", key, 2)
    counts = room.take_counts()["chat"]
    assert (counts[DELIVERED], counts[OUT_OF_ORDER]) == (3, 1)


def test_order_is_kept_by_who_joined_between_two_messages(room):
    room.sent("chat", "room", "m1", 1)
    room.join("chat", "room", 4)
    room.sent("chat", "room", "m2", 1)
    for key in ("m2", "m1"):
        room.received("chat", "room", key, 4)
    assert room.take_counts()["chat"] == [2, 5, 1, 0, 0, 0]


def test_a_message_that_was_refused_makes_no_older_one_late(room):
    room.sent("chat", "room", "m1", 1)
    room.sent("chat", "room", "refused", 1)
    room.unsent("chat", "room", "refused")
    room.received("chat", "room", "m1", 2)
    assert room.take_counts()["chat"] == [1, 2, 1, 0, 0, 0]


def test_nothing_is_kept_of_messages_that_are_past(room):
    """Memory must stay flat over a long run, whoever talks to whom."""
    for number in range(50):
        for sender in (1, 2, 3):
            room.sent("chat", "room", (sender, number), sender)
            for member in (1, 2, 3):
                room.received("chat", "room", (sender, number), member)
    room.expire()
    channel = room._channels[("chat", "room")]
    assert (len(room._open), len(channel.messages), len(channel.newest)) == (0, 0, 0)


def test_who_leaves_is_no_longer_expected_to_get_what_is_on_its_way(room):
    room.sent("chat", "room", "m1", 1)
    room.leave("chat", "room", 2)
    room.received("chat", "room", "m1", 3)
    room.expire()
    assert room.take_counts()["chat"] == [1, 1, 1, 0, 0, 0]


def test_who_departs_has_missed_what_was_on_its_way_and_is_expected_to_get_nothing_more(room):
    room.sent("chat", "room", "m1", 1)
    room.depart("chat", "room", 2)
    room.sent("chat", "room", "m2", 1)
    for key in ("m1", "m2"):
        room.received("chat", "room", key, 3)
    room.expire()
    assert room.take_counts()["chat"] == [2, 3, 2, 1, 0, 0]


def test_a_refused_message_is_expected_by_nobody(room):
    room.sent("chat", "room", "m1", 1)
    room.unsent("chat", "room", "m1")
    room.expire()
    assert room.take_counts() == {}


def test_messages_of_other_processes_are_passed_over(room):
    room.received("chat", "room", "from another worker", 2)
    room.received("chat", "unknown room", "m", 2)
    assert room.take_counts() == {}


def test_what_is_on_its_way_when_the_run_ends_is_neither_delivered_nor_lost(room):
    room.sent("chat", "room", "m1", 1)
    room.received("chat", "room", "m1", 2)
    room.abandon()
    room.expire()
    assert room.take_counts()["chat"] == [1, 1, 1, 0, 0, 0]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["sent", "received", "leave", "join", "unsent", "expire"]),
        st.integers(0, 5),
        st.integers(1, 4),
    )
)


@given(ACTIONS)
def test_whatever_happens_expected_is_delivered_plus_lost(tmp_path_factory, actions):
    with recorder_in(tmp_path_factory.mktemp("run")) as recorder:
        deliveries = DeliveryLedger(recorder, deadline_s=0)
        used = set()
        for action, key, member in actions:
            if action == "sent" and key not in used:
                used.add(key)
                deliveries.sent("chat", "room", key, member)
            elif action == "received":
                deliveries.received("chat", "room", key, member)
            elif action == "unsent":
                deliveries.unsent("chat", "room", key)
            elif action == "expire":
                deliveries.expire()
            elif action in ("join", "leave"):
                getattr(deliveries, action)("chat", "room", member)
        deliveries.abandon()
        totals = deliveries.take_counts().get("chat", [0] * 6)
    assert totals[EXPECTED] == totals[DELIVERED] + totals[LOST]
    assert min(totals) >= 0
