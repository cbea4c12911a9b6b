"""Deliveries over several workers: each message is expected by the same receivers, however many workers there are."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.load.generator.deliveries.bus import MasterBus, MemoryBus, handed_on, pack, unpack
from dbz.load.generator.deliveries.ledger import DeliveryLedger
from dbz.load.generator.deliveries.shared_ring import RingReader, RingWriter
from dbz.load.generator.record.recorder import Recorder
from tests.load.recorders import recorder_in

SENT, EXPECTED, DELIVERED, LOST, DUPLICATED, OUT_OF_ORDER = range(6)


class Workers:
    """Ledgers of several workers in one process; member m is of worker m modulo their number."""

    def __init__(self, folder: Path, recorder: Recorder, count: int, deadline_s: float = 60.0) -> None:
        buses = [MemoryBus(folder, number, count, recorder) if count > 1 else None for number in range(count)]
        self.ledgers = [DeliveryLedger(recorder, deadline_s, bus) for bus in buses]

    def of(self, member: int) -> DeliveryLedger:
        """The ledger of a member's worker."""
        return self.ledgers[member % len(self.ledgers)]

    def hear(self) -> None:
        """Every worker takes up what the others announced."""
        for ledger in self.ledgers:
            ledger.hear()

    def totals(self) -> list[int]:
        """The counts of all workers together."""
        rows = [ledger.take_counts().get("chat", [0] * 6) for ledger in self.ledgers]
        return [sum(column) for column in zip(*rows, strict=True)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["join", "leave", "send", "receive", "receive", "receive", "hear"]),
        st.integers(0, 5),
        st.integers(0, 7),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, count=st.integers(2, 4))
def test_any_number_of_workers_counts_what_one_counts(tmp_path_factory, steps, count):
    """The books of several workers that hear of each other at once are those of one worker."""
    folder = tmp_path_factory.mktemp("run")
    with recorder_in(folder) as recorder:
        one, several = Workers(folder, recorder, 1), Workers(folder, recorder, count)
        sent: set[int] = set()
        for step, member, key in steps:
            if (step == "send") == (key in sent) and step in ("send", "receive"):
                continue
            for workers in (one, several):
                ledger = workers.of(member)
                if step == "send":
                    ledger.sent("chat", "room", key, member)
                elif step == "receive":
                    ledger.received("chat", "room", key, member)
                elif step in ("join", "leave"):
                    getattr(ledger, step)("chat", "room", member)
                if step != "hear":
                    workers.hear()
            if step == "send":
                sent.add(key)
        assert one.totals() == several.totals()


def test_a_receipt_that_is_faster_than_the_word_of_the_sender_counts_with_its_own_time(tmp_path):
    with recorder_in(tmp_path) as recorder:
        workers = Workers(tmp_path, recorder, 2)
        for member in (0, 1, 3):
            workers.of(member).join("chat", "room", member)
        workers.of(0).sent("chat", "room", "m", 0)
        workers.of(1).received("chat", "room", "m", 1)  # worker 1 has not heard of it
        assert workers.ledgers[1].take_counts() == {}
        workers.hear()
        workers.of(3).received("chat", "room", "m", 3)
        assert workers.totals() == [1, 2, 2, 0, 0, 0]


def test_what_nobody_of_the_other_workers_receives_is_lost_there(tmp_path):
    with recorder_in(tmp_path) as recorder:
        workers = Workers(tmp_path, recorder, 2, deadline_s=0)
        for member in (0, 1, 3):
            workers.of(member).join("chat", "room", member)
        workers.of(0).sent("chat", "room", "m", 0)
        for ledger in workers.ledgers:
            ledger.expire()
        assert workers.totals() == [1, 2, 0, 2, 0, 0]


def test_who_joins_after_a_message_was_sent_is_not_expected_to_get_it_from_another_worker(tmp_path):
    with recorder_in(tmp_path) as recorder:
        workers = Workers(tmp_path, recorder, 2)
        workers.of(0).join("chat", "room", 0)
        workers.of(0).sent("chat", "room", "m", 0)
        workers.of(1).join("chat", "room", 1)
        workers.hear()
        assert workers.totals() == [1, 0, 0, 0, 0, 0]


def test_a_message_refused_by_the_server_is_expected_in_no_worker(tmp_path):
    with recorder_in(tmp_path) as recorder:
        workers = Workers(tmp_path, recorder, 2)
        for member in (0, 1):
            workers.of(member).join("chat", "room", member)
        workers.of(0).sent("chat", "room", "m", 0)
        workers.hear()
        workers.of(0).unsent("chat", "room", "m")
        workers.hear()
        assert workers.totals() == [0, 0, 0, 0, 0, 0]


KEYS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary() | st.uuids(),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@given(KEYS, KEYS, KEYS)
def test_keys_are_the_same_in_the_other_worker(channel, key, sender):
    announcement = (True, "chat", channel, key, sender, 12.5)
    assert unpack(pack(announcement)) == announcement


def test_a_key_that_cannot_travel_makes_the_run_invalid_and_says_so(tmp_path):
    with recorder_in(tmp_path) as recorder:
        ledger = Workers(tmp_path, recorder, 2).of(0)
        ledger.sent("chat", "room", frozenset({1}), 0)
        _, _, errors = recorder.take()
    ((kind, name, error),) = errors
    assert (kind, name) == ("setup", "following deliveries from worker to worker")
    assert "frozenset is neither text" in error


@given(frames=st.lists(st.binary(max_size=40), max_size=60), reads=st.sets(st.integers(0, 59)))
def test_a_ring_gives_every_frame_once_in_order_or_says_how_many_it_missed(tmp_path_factory, frames, reads):
    path = tmp_path_factory.mktemp("ring") / "ring"
    writer = RingWriter(path, capacity=512)
    reader = RingReader(path)
    seen: list[bytes] = []
    for number, frame in enumerate(frames):
        writer.write(frame)
        if number in reads:
            seen += reader.new_frames()
    seen += reader.new_frames()
    assert len(seen) + reader.missed == len(frames)
    if not reader.missed:
        assert seen == frames
    writer.close()
    reader.close()


def test_workers_of_other_machines_speak_in_seconds_of_the_run(tmp_path):
    """The clocks of two machines are 1,000 s apart; the moment of an emit is the same moment on both."""
    with recorder_in(tmp_path) as recorder:
        here, there = MasterBus(100.0, recorder), MasterBus(1100.0, recorder)
        here.send = lambda frames: there.receive(handed_on({"frames": frames}))
        key = uuid.uuid4()
        here.announce((True, "chat", "room", key, 3, 107.25))
        assert list(here.take()) == []
        assert list(there.take()) == [(True, "chat", "room", key, 3, 1107.25)]


@pytest.mark.parametrize("data", [{}, {"frames": None}, {"frames": "abc"}, {"frames": [1, None]}])
def test_a_message_of_another_form_is_passed_over(data):
    assert handed_on(data) == []


def test_deliveries_after_the_end_of_the_judged_part_belong_to_it(tmp_path):
    with recorder_in(tmp_path) as recorder:
        ledger = DeliveryLedger(recorder, deadline_s=0)
        for member in (1, 2, 3):
            ledger.join("chat", "room", member)
        ledger.sent("chat", "room", "before", 1)
        ledger.end_at(0.0)
        ledger.sent("chat", "room", "after", 1)
        ledger.received("chat", "room", "before", 2)
        ledger.received("chat", "room", "after", 2)
        assert ledger.pending()
        ledger.expire()
        assert not ledger.pending()
        assert ledger.take_counts()["chat"] == [1, 2, 0, 0, 0, 0]
        assert ledger.take_counts(after_end=True)["chat"] == [0, 0, 1, 1, 0, 0]
        ok, failed, _ = recorder.take()
    assert set(ok) == set(failed) == {("drained", "chat")}
