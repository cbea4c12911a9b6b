"""When bytes that leave now arrive: pure functions of time, of the network's terms and of seeded random numbers.

A link is one direction of a user's access. It passes on what all connections of the user give it, one after the other,
at its bandwidth. A flow is one direction of one connection over it, in which order is kept, as TCP keeps it: what was
lost holds up what came behind. A lost segment arrives

- one round trip later when at least three segments follow it, whose duplicate acknowledgements tell the sender (fast
  retransmit, RFC 5681, section 3.2),
- otherwise when the sender's timer runs out: max(1 s, SRTT + 4 x RTTVAR) (RFC 6298, sections 2.2 to 2.4), doubled each
  time that it is lost again (5.5), up to 60 s.

The same timer, doubled, decides when what was sent into an outage is tried again. Not modelled: slow start and what
loss does to the congestion window, selective acknowledgements and tail loss probes.
"""

from __future__ import annotations

import math
import random
from collections import deque

from dbz.load.planning.networks import Network

SEGMENT_BYTES = 1460
"""The payload of a TCP segment in an Ethernet frame over IPv4."""
_DUPLICATES = 3
_NEVER = 2**62
"""More bytes or segments than any run sends."""
_SHORTEST_TIMER_S, _LONGEST_TIMER_S = 1.0, 60.0
_PIECE_S = 0.02
"""How much of a link's time shares its jitter, its losses and what an outage does to it: finer than users can see."""
_LARGEST_PIECE_BYTES = 65_536
_MOST_OUTAGES = 32
"""So many are remembered: two directions ask, and one of them may be ahead by what it has to send."""

Span = tuple[float, float, int]
"""When some bytes begin to arrive, when the last has arrived, and how many there are: they come evenly."""


def timer_s(network: Network) -> float:
    """How long a sender waits for an acknowledgement before it sends again for the first time."""
    mean_s, variation_s = network.latency_s + network.jitter_s / 2, network.jitter_s / 4
    return max(_SHORTEST_TIMER_S, mean_s + 4 * variation_s)


class Outages:
    """The times in which nothing passes; both directions of a user share them."""

    def __init__(self, network: Network, numbers: random.Random, start_s: float) -> None:
        self._every_s, self._length_s = network.outage_every_s, network.outage_length_s
        self._numbers = numbers
        self._timer_s = timer_s(network)
        self._begins_s: deque[float] = deque()
        self._next_s = start_s
        """From when on nothing is decided yet."""

    def passed(self, sent_s: float) -> float:
        """When what is sent at a moment gets through: at once, or with the first try after the outage."""
        if not self._every_s:
            return sent_s
        tried_s, wait_s = sent_s, self._timer_s
        while self.inside(tried_s):
            tried_s += wait_s
            wait_s = min(2 * wait_s, _LONGEST_TIMER_S)
        return tried_s

    def inside(self, moment_s: float) -> bool:
        """Whether nothing passes at a moment; those long before the latest that was asked about are forgotten."""
        while self._next_s <= moment_s:
            begin_s = self._next_s + self._numbers.expovariate(1 / self._every_s)
            self._begins_s.append(begin_s)
            self._next_s = begin_s + self._length_s
            if len(self._begins_s) > _MOST_OUTAGES:
                self._begins_s.popleft()
        return any(begin_s <= moment_s < begin_s + self._length_s for begin_s in self._begins_s)


class AccessLink:
    """One direction of a user's access: its bandwidth is shared by all connections of the user."""

    def __init__(self, network: Network, bit_per_s: float, numbers: random.Random, outages: Outages) -> None:
        self.network = network
        self.numbers = numbers
        self.byte_per_s = bit_per_s / 8 or math.inf
        self.timer_s = timer_s(network)
        self.shortest_s = network.latency_s / 2
        self.steady = not (network.jitter_s or network.loss or network.outage_every_s)
        piece_bytes = min(self.byte_per_s * _PIECE_S, _LARGEST_PIECE_BYTES)
        self.piece_bytes = max(int(piece_bytes) // SEGMENT_BYTES, 1) * SEGMENT_BYTES
        self._outages = outages
        self.free_s = 0.0
        """When everything that it was given so far has left it."""
        self._until_loss = self._next_loss()

    def pass_on(self, now_s: float, size: int) -> float:
        """When the last of `size` bytes has left the link, behind everything that it was given before."""
        begin_s = max(self.free_s, now_s)
        if not self.steady:
            begin_s = self._outages.passed(begin_s)
        self.free_s = begin_s + size / self.byte_per_s
        return self.free_s

    def packet(self, now_s: float) -> float:
        """When a single small packet arrives that is sent now: it waits for nobody, but it may be lost."""
        late_s = self.repair_s(0) if self.losses(1) else 0.0
        return self._outages.passed(now_s) + self.trip_s() + late_s

    def losses(self, segments: int) -> list[int]:
        """Which of so many segments in a row are lost, counted from 0."""
        if not self.network.loss:
            return []
        lost = []
        while self._until_loss < segments:
            lost.append(self._until_loss)
            self._until_loss += 1 + self._next_loss()
        self._until_loss -= segments
        return lost

    def _next_loss(self) -> int:
        """How many segments get through before the next one is lost: geometrically distributed."""
        loss = self.network.loss
        return int(min(math.log1p(-self.numbers.random()) / math.log1p(-loss), _NEVER)) if loss else 0

    def repair_s(self, followers: int) -> float:
        """How much later a lost segment arrives that so many others follow at once."""
        network = self.network
        if followers >= _DUPLICATES:
            return network.latency_s
        late_s = wait_s = self.timer_s
        while self.numbers.random() < network.loss:
            wait_s = min(2 * wait_s, _LONGEST_TIMER_S)
            late_s += wait_s
        return late_s

    def trip_s(self) -> float:
        """How long a packet is on its way, once it has left the link."""
        jitter_s = self.network.jitter_s
        return (self.network.latency_s + (self.numbers.random() * jitter_s if jitter_s else 0.0)) / 2


class ConnectionFlow:
    """One direction of one connection."""

    __slots__ = ("_arrived_s", "_link")

    def __init__(self, link: AccessLink) -> None:
        self._link = link
        self._arrived_s = 0.0

    def plan(self, now_s: float, size: int) -> list[Span]:
        """When `size` bytes (at least one) that are sent now arrive, in their order.

        On a network without jitter, loss and outages that is one span, however many bytes there are.
        """
        link = self._link
        if link.steady:
            return [self.even_span(now_s, size)]
        spans: list[Span] = []
        sent = 0
        segments = -(-size // SEGMENT_BYTES)
        lost = link.losses(segments)
        while sent < size:
            piece = min(link.piece_bytes, size - sent)
            repairs_s: list[float] = []
            if lost:
                first, beyond = sent // SEGMENT_BYTES, -(-(sent + piece) // SEGMENT_BYTES)
                repairs_s = [link.repair_s(segments - 1 - number) for number in lost if first <= number < beyond]
            out_s = link.pass_on(now_s, piece + SEGMENT_BYTES * len(repairs_s))  # what is sent again takes room too
            end_s = max(self._arrived_s, out_s + link.trip_s() + max(repairs_s, default=0.0))
            spans.append((max(self._arrived_s, end_s - piece / link.byte_per_s), end_s, piece))
            self._arrived_s = end_s
            sent += piece
        return spans

    def even_span(self, now_s: float, size: int) -> Span:
        """As `plan`, on a link that is steady."""
        link = self._link
        took_s = size / link.byte_per_s
        link.free_s = left_s = max(now_s, link.free_s) + took_s
        before_s, end_s = self._arrived_s, left_s + link.shortest_s
        self._arrived_s = end_s
        return max(before_s, end_s - took_s), end_s, size

    def end(self, now_s: float) -> float:
        """When the other end learns that nothing more comes."""
        return max(self._arrived_s, now_s + self._link.trip_s())
