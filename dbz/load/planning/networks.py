"""Which virtual user is on which network, and what that network is like: plain data for the generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_GOLDEN = 0.6180339887498949
"""(sqrt(5) - 1) / 2. Its multiples modulo 1 are spread as evenly as those of any number (D. E. Knuth, "The Art of
Computer Programming", volume 3, section 6.4)."""


@dataclass(frozen=True)
class Network:
    """One network and the share of the users that are on it."""

    name: str
    share: float
    """Of one."""
    shaped: bool = True
    """False for users on this machine's own network."""
    latency_s: float = 0.0
    """The shortest round trip."""
    jitter_s: float = 0.0
    """What a round trip takes longer at most."""
    down_bit_s: float = 0.0
    """Bits a second towards the user; 0 for no limit."""
    up_bit_s: float = 0.0
    loss: float = 0.0
    """Of segments, as a share of one."""
    outage_every_s: float = 0.0
    """The mean time between two outages; 0 for none."""
    outage_length_s: float = 0.0


def network_at(networks: Sequence[Network], start: float, seat: int) -> Network:
    """The network of a seat; `start`, from 0 up to 1, is that of the first seat.

    A network's share of any seats in a row is right but for one or two of them, however few they are.
    """
    point = (start + seat * _GOLDEN) % 1.0
    for network in networks:
        point -= network.share
        if point < 0:
            return network
    return networks[-1]
