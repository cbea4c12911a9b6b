"""The access of one virtual user to its network: what all its connections share, and how long it takes to make one."""

from __future__ import annotations

import ipaddress
import random
import time

import gevent
from gevent import socket as gsocket

from dbz.hosts import is_loopback
from dbz.load.generator.net.access.carriage import ShapedConnection
from dbz.load.generator.net.access.schedule import AccessLink, Outages
from dbz.load.generator.net.faults import ConnectTimeout
from dbz.load.planning.networks import Network


class UserAccess:
    """One user's link up and link down, which its connections share."""

    def __init__(self, network: Network, numbers: random.Random) -> None:
        self.network = network
        outages = Outages(network, numbers, time.monotonic())
        self._up = AccessLink(network, network.up_bit_s, numbers, outages)
        self._down = AccessLink(network, network.down_bit_s, numbers, outages)
        self._known: set[str] = set()

    def approach(self, host: str, timeout_s: float) -> float:
        """Wait as long as it takes to look up a name, once, and to shake hands with its server: a round trip each.

        Returns the seconds that are left of `timeout_s`; `ConnectTimeout` when there are none.
        """
        now_s = time.monotonic()
        there_s = now_s
        if host not in self._known and not _is_address(host):
            there_s = self._round_trip(there_s)
        there_s = self._round_trip(there_s)
        waited_s = there_s - now_s
        if waited_s >= timeout_s:
            gevent.sleep(timeout_s)
            raise ConnectTimeout(f"{timeout_s:g} s")
        gevent.sleep(waited_s)
        self._known.add(host)
        return timeout_s - waited_s

    def carry(self, server: gsocket.socket) -> ShapedConnection:
        """A connection to a server over the user's network; the socket is the connection's from then on."""
        return ShapedConnection(server, self._up, self._down)

    def _round_trip(self, now_s: float) -> float:
        """When the answer to a small packet that is sent now has come."""
        return self._down.packet(self._up.packet(now_s))


def _is_address(host: str) -> bool:
    """Whether nobody needs to be asked where a host is."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return is_loopback(host)
    return True
