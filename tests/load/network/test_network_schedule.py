"""When bytes arrive over a user's network: the pure schedule, without a socket or a clock."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from dbz.load.generator.net.access.schedule import AccessLink, ConnectionFlow, Outages, Span, timer_s
from dbz.load.planning.networks import Network, network_at

Sending = list[tuple[float, int]]
"""Pauses before each sending, and bytes."""

sendings = st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 200_000)), min_size=1, max_size=30)
rates = st.sampled_from([8_000.0, 400_000.0, 1_600_000.0, 30_000_000.0, 0.0])
latencies = st.floats(0, 1)
seeds = st.integers(0, 2**32 - 1)


def link_of(network: Network, seed: int = 1) -> AccessLink:
    numbers = random.Random(seed)
    return AccessLink(network, network.down_bit_s, numbers, Outages(network, numbers, 0.0))


def sent_over(flow: ConnectionFlow, sending: Sending) -> tuple[list[tuple[float, int]], list[Span]]:
    """What was sent when, and the spans that arrive."""
    now_s, sent, arrived = 0.0, [], []
    for pause_s, size in sending:
        now_s += pause_s
        sent.append((now_s, size))
        arrived += flow.plan(now_s, size)
    return sent, arrived


@given(sendings, rates, latencies, st.floats(0, 0.3), st.floats(0, 0.5), seeds)
def test_nothing_is_lost_order_is_kept_and_nothing_comes_too_early(sending, rate, latency_s, jitter_s, loss, seed):
    network = Network("n", 1, latency_s=latency_s, jitter_s=jitter_s, down_bit_s=rate, loss=loss)
    sent, arrived = sent_over(ConnectionFlow(link_of(network, seed)), sending)
    assert sum(size for *_, size in arrived) == sum(size for _, size in sent)
    moments = [moment_s for begin_s, end_s, _ in arrived for moment_s in (begin_s, end_s)]
    assert moments == sorted(moments)
    pieces = iter(arrived)
    for sent_s, size in sent:
        left = size
        while left:
            begin_s, _, piece = next(pieces)
            left -= piece
            assert begin_s >= sent_s + latency_s / 2 - 1e-9
        assert left == 0, "a span holds bytes of one sending only"


@given(sendings, st.sampled_from([8_000.0, 400_000.0, 1_600_000.0, 30_000_000.0]), latencies, seeds)
def test_no_stretch_of_time_carries_more_than_its_bandwidth(sending, rate, latency_s, seed):
    network = Network("n", 1, latency_s=latency_s, down_bit_s=rate)
    link = link_of(network, seed)
    flows = [ConnectionFlow(link), ConnectionFlow(link)]  # two connections of one user share what there is
    now_s, arrived = 0.0, []
    for number, (pause_s, size) in enumerate(sending):
        now_s += pause_s
        arrived += flows[number % 2].plan(now_s, size)
    arrived.sort()
    whole = [0, *itertools.accumulate(size for *_, size in arrived)]
    for first, (begin_s, *_) in enumerate(arrived):
        for last in range(first, min(first + 40, len(arrived))):
            length_s = arrived[last][1] - begin_s
            assert whole[last + 1] - whole[first] <= length_s * rate / 8 + 1e-3


@given(st.integers(1, 3_000_000), rates, latencies, st.floats(0, 100))
def test_a_transfer_takes_half_a_round_trip_and_its_bytes_over_the_bandwidth(size, rate, latency_s, now_s):
    network = Network("n", 1, latency_s=latency_s, down_bit_s=rate)
    *_, (_, arrival_s, _) = ConnectionFlow(link_of(network)).plan(now_s, size)
    expected_s = now_s + latency_s / 2 + (size * 8 / rate if rate else 0.0)
    assert abs(arrival_s - expected_s) < 1e-6 * max(expected_s, 1)


@given(seeds, st.sampled_from([0.01, 0.05, 0.2]))
def test_as_many_segments_are_lost_as_was_asked_for_whatever_the_sizes_of_writes(seed, loss):
    link = link_of(Network("n", 1, latency_s=0.1, loss=loss), seed)
    sizes = random.Random(seed)
    segments = [sizes.randint(1, 60) for _ in range(2_000)]
    lost = [link.losses(count) for count in segments]
    assert all(0 <= number < count for numbers, count in zip(lost, segments, strict=True) for number in numbers)
    share, spread = sum(map(len, lost)) / sum(segments), (loss / sum(segments)) ** 0.5
    assert abs(share - loss) < 6 * spread


@given(seeds)
def test_what_is_lost_comes_a_round_trip_later_or_when_the_timer_runs_out_and_holds_up_the_rest(seed):
    network = Network("n", 1, latency_s=0.2, loss=0.3)
    link = link_of(network, seed)
    assert link.repair_s(followers=3) == network.latency_s  # three duplicate acknowledgements
    timeout_s = timer_s(network)
    waits_s = [timeout_s * 2**tries for tries in range(6)] + [60.0] * 40
    found_s = {round(link.repair_s(followers=2), 6) for _ in range(200)}
    assert found_s <= {round(sum(waits_s[:tries]), 6) for tries in range(1, len(waits_s))}
    assert min(found_s) == timeout_s


def test_the_timer_is_that_of_rfc_6298():
    assert timer_s(Network("n", 1, latency_s=0.3)) == 1.0, "never less than a second (2.4)"
    assert timer_s(Network("n", 1, latency_s=1.4, jitter_s=0.4)) == 1.6 + 4 * 0.1  # SRTT + 4 x RTTVAR (2.3)


@given(sendings, seeds)
def test_nothing_gets_through_in_an_outage_and_what_waited_is_tried_again_with_doubled_pauses(sending, seed):
    network = Network("n", 1, down_bit_s=1_600_000, outage_every_s=1.0, outage_length_s=2.5)
    link = link_of(network, seed)
    outages = link._outages
    arrived = sent_over(ConnectionFlow(link), sending)[1]
    begun_s = [end_s - size * 8 / 1_600_000 for _, end_s, size in arrived]  # what was on its way gets through
    spans = [(begin_s, begin_s + 2.5) for begin_s in outages._begins_s]
    assert not any(begin_s + 1e-6 < moment_s < end_s - 1e-6 for moment_s in begun_s for begin_s, end_s in spans)
    first_s = outages._begins_s[0]
    assert outages.passed(first_s + 0.1) >= first_s + 0.1 + 3 - 1e-9, "1 s and 2 s later: the first try after 2.5 s"


def test_a_user_without_outages_waits_for_none():
    assert Outages(Network("n", 1), random.Random(1), 0.0).passed(5.0) == 5.0


@given(st.floats(0, 0.999999), st.integers(1, 400), st.integers(0, 10_000))
def test_each_network_has_its_share_of_any_users_in_a_row(start, users, first):
    networks = [Network("wifi", 0.6), Network("lte", 0.3), Network("3g", 0.1)]
    found = [network_at(networks, start, seat).name for seat in range(first, first + users)]
    for network in networks:
        assert abs(found.count(network.name) - network.share * users) <= 2.5
    assert found == [network_at(networks, start, seat).name for seat in range(first, first + users)]
