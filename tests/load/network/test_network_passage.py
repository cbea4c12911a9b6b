"""What is under way in a connection arrives when a model of single bytes says, on a clock of its own."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.load.generator.net.access.passage import Passage
from dbz.load.generator.net.access.schedule import AccessLink, Outages
from dbz.load.planning.networks import Network

LATEST_S = 1e6
rates = st.sampled_from([240_000.0, 1_600_000.0, 12_000_000.0, 30_000_000.0])
steps = st.lists(st.tuples(st.floats(0, 0.2), st.integers(0, 2), st.integers(1, 120_000)), min_size=1, max_size=25)
"""Pauses before each sending, the connection that sends, and bytes."""


def link_of(network: Network) -> AccessLink:
    numbers = random.Random(1)
    return AccessLink(network, network.down_bit_s, numbers, Outages(network, numbers, 0.0))


class Model:
    """A link whose bytes leave one after the other; each arrives half a round trip after it has left."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._free_s = 0.0
        self.sent: dict[int, list[tuple[float, int]]] = {0: [], 1: [], 2: []}

    def send(self, now_s: float, connection: int, size: int) -> None:
        """Put bytes on the link."""
        begin_s = max(now_s, self._free_s)
        self.sent[connection].append((begin_s, size))
        self._free_s = begin_s + size * 8 / self._network.down_bit_s

    def arrival_s(self, connection: int, number: int) -> float:
        """When a byte of a connection has arrived, counted from 1."""
        for begin_s, size in self.sent[connection]:
            if number <= size:
                return begin_s + number * 8 / self._network.down_bit_s + self._network.latency_s / 2
            number -= size
        raise AssertionError("never sent")

    def whole(self, connection: int) -> int:
        """Bytes that a connection has sent."""
        return sum(size for _, size in self.sent[connection])


def drained(passage: Passage, now_s: float) -> bytes:
    """All that has arrived, which is not handed over at once when it was not sent at once."""
    return b"".join(iter(lambda: passage.take(now_s) or b"", b""))


@given(rates, st.floats(0, 1), steps, st.integers(0, 2**32 - 1))
def test_each_byte_arrives_when_a_model_of_single_bytes_says(rate, latency_s, sendings, seed):
    network = Network("n", 1, latency_s=latency_s, down_bit_s=rate)
    link, model, chance = link_of(network), Model(network), random.Random(seed)
    passages = [Passage(link) for _ in range(3)]
    sent, got = [b""] * 3, [b""] * 3
    now_s = 0.0

    def look(connection: int) -> None:
        passage, before = passages[connection], len(got[connection])
        if passage.size:
            ahead = chance.randint(1, passage.size)
            assert passage.when(ahead) == pytest.approx(model.arrival_s(connection, before + ahead), abs=1e-6)
        got[connection] += drained(passage, now_s)
        taken = len(got[connection])
        assert sent[connection][:taken] == got[connection]
        if taken > before:
            assert model.arrival_s(connection, taken) <= now_s + 1e-6
        if taken < model.whole(connection):
            assert model.arrival_s(connection, taken + 1) > now_s - 1e-6

    for pause_s, connection, size in sendings:
        for part in sorted(chance.random() for _ in range(2)):
            now_s += pause_s * part / 2
            look(chance.randrange(3))
        data = chance.randbytes(size)
        passages[connection].put(now_s, data)
        model.send(now_s, connection, size)
        sent[connection] += data
    now_s = LATEST_S
    for connection in range(3):
        look(connection)
    assert got == sent


@given(rates, st.floats(0, 0.4), st.integers(1, 400_000), st.floats(0, 0.02))
def test_who_needs_all_is_woken_twice_and_who_takes_what_comes_seldom(rate, latency_s, size, lag_s):
    network = Network("n", 1, latency_s=latency_s, down_bit_s=rate)
    whole_s = latency_s / 2 + size * 8 / rate
    hurried, patient = Passage(link_of(network)), Passage(link_of(network))
    for passage in (hurried, patient):
        passage.put(0.0, bytes(size))
    wakes = list(taken_as_it_comes(hurried, lag_s))
    assert len(wakes) <= 2 + whole_s / 0.02
    assert wakes[0] <= latency_s / 2 + 1460 * 8 / rate + 0.002 + lag_s + 1e-9, "the first byte is on time"
    assert wakes[-1] == pytest.approx(whole_s, abs=lag_s + 1e-6)
    first = patient.take(patient.soon()) or b""
    assert len(first) == size or patient.when(size - len(first)) == pytest.approx(whole_s, abs=1e-6)
    assert patient.take(whole_s + 1e-6) is not None or len(first) == size


def taken_as_it_comes(passage: Passage, lag_s: float) -> Iterator[float]:
    """When somebody takes bytes who comes a little late each time."""
    while passage.size:
        now_s = passage.soon() + lag_s
        if passage.take(now_s) is not None:
            yield now_s


@given(rates, st.sampled_from([0.002, 0.07, 0.3, 0.84]), st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_each_second_carries_its_bandwidth_within_a_tenth_though_the_event_loop_is_late(
    rate, latency_s, seed, varies, stops
):
    network = Network("n", 1, latency_s=latency_s, jitter_s=0.02 if varies else 0.0, down_bit_s=rate)
    taken = downloaded(Passage(link_of(network)), random.Random(seed), 0.6 if stops else 0.0)
    moments = [moment_s for moment_s, _ in taken]
    sums = [0, *itertools.accumulate(size for _, size in taken)]
    assert sums[-1] == pytest.approx((moments[-1] - latency_s / 2) * rate / 8, rel=0.1), "in all, whatever happened"
    if stops:
        return
    for first in range(0, len(taken), 7):
        last = next((at for at in range(first, len(taken)) if moments[at] >= moments[first] + 1), None)
        if last is not None:
            asked = (moments[last] - moments[first]) * rate / 8
            assert sums[last + 1] - sums[first + 1] == pytest.approx(asked, rel=0.1)


def downloaded(passage: Passage, chance: random.Random, stop_s: float) -> list[tuple[float, int]]:
    """What is taken when, for six seconds, of a server that is never slow; the event loop is late, and stops twice."""
    now_s = room_s = 0.0
    taken, stops_s = [], [2.0, 4.0]
    while now_s < 6:
        while not passage.full(now_s):
            passage.put(room_s, bytes(chance.choice((1460, 16_384, 65_536))))
        now_s = max(now_s, min(passage.half_empty(), passage.soon())) + chance.choice((0.0, 0.001, 0.01, 0.02))
        if stop_s and now_s > stops_s[0]:
            now_s += stop_s
            stops_s = [*stops_s[1:], 9.0]
        room_s = min(passage.half_empty(), now_s)
        if data := passage.take(now_s):
            taken.append((now_s, len(data)))
    return taken


@given(rates, st.floats(0, 0.5), st.lists(st.tuples(st.floats(0, 0.1), st.integers(1, 1460)), min_size=1, max_size=40))
def test_each_message_is_handed_over_when_it_has_arrived_though_others_follow_it(rate, latency_s, messages):
    network = Network("n", 1, latency_s=latency_s, down_bit_s=rate)
    passage, model = Passage(link_of(network)), Model(network)
    sent_s = list(itertools.accumulate(pause_s for pause_s, _ in messages))
    ends = list(itertools.accumulate(size for _, size in messages))
    queue, got, handed_s = deque(zip(sent_s, (size for _, size in messages), strict=True)), 0, []
    while len(handed_s) < len(messages):
        due_s = passage.soon()
        if queue and queue[0][0] <= due_s:
            moment_s, size = queue.popleft()
            passage.put(moment_s, bytes(size))
            model.send(moment_s, 0, size)
            continue
        got += len(passage.take(due_s) or b"")
        handed_s += [due_s] * (sum(end <= got for end in ends) - len(handed_s))
    for end, moment_s in zip(ends, handed_s, strict=True):
        assert 0 <= moment_s - model.arrival_s(0, end) + 1e-6 <= 0.002 + 2e-6


@given(rates, st.floats(0, 0.01), st.integers(1, 5_000), st.floats(0, 0.01))
def test_what_passes_at_once_takes_its_place_on_the_link_all_the_same(rate, latency_s, size, patience_s):
    network = Network("n", 1, latency_s=latency_s, down_bit_s=rate)
    link, model = link_of(network), Model(network)
    passage, other = Passage(link), Passage(link)
    model.send(0.0, 0, size)
    passes = passage.put_or_pass(0.0, bytes(size), patience_s)
    assert passes == (model.arrival_s(0, size) <= patience_s)
    assert passage.size == (0 if passes else size)
    model.send(0.0, 1, 1_000)
    other.put(0.0, bytes(1_000))
    assert other.last_s == pytest.approx(model.arrival_s(1, 1_000))
