"""Keeping a load on the hosts that may be loaded, whatever client a scenario brings along.

A Locust file may name any address in any of its requests. So the sockets of the process refuse to go anywhere but to
this machine, the target and the hosts that were allowed by name, and names of other hosts are not even looked up.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

import gevent

from dbz.hosts import is_loopback
from dbz.load.generator.net.faults import ForbiddenTargetError
from dbz.load.spec import GeneratorSpec

_CONNECTING = ("connect", "connect_ex", "sendto")
_REFUSAL_S = 0.05


class HostFence:
    """Knows which hosts, by name or address, are inside; the addresses of a name are learnt when it is looked up."""

    def __init__(self, hosts: Collection[str]) -> None:
        self._inside = set(hosts)

    def check(self, host: str) -> None:
        """Raise `ForbiddenTargetError` unless a host may be reached."""
        if host not in self._inside and not is_loopback(host) and not _is_unspecified(host):
            raise ForbiddenTargetError(host)

    def learn(self, addresses: Collection[str]) -> None:
        """Take the addresses of a host that may be reached."""
        self._inside.update(addresses)


def fence_of(spec: GeneratorSpec) -> HostFence:
    """What a generator process may reach: its target, its master, what the user allowed, and the proxies to them."""
    proxies = [urlsplit(url if "://" in url else f"//{url}").hostname for url in getproxies_environment().values()]
    targets = [urlsplit(url if "://" in url else f"//{url}").hostname for url in (spec.target, *spec.hosts)]
    return HostFence({*spec.allowed_targets, spec.master_host, *(host for host in (*targets, *proxies) if host)})


def install(fence: HostFence) -> None:
    """Put the fence around this process's sockets and its look-ups of names, for good."""
    hub = gevent.get_hub()
    hub.resolver = _FencedResolver(hub.resolver, fence)
    for name in _CONNECTING:
        setattr(socket.socket, name, _checked(getattr(socket.socket, name), fence))


class _FencedResolver:
    """gevent's resolver, through which every look-up of a patched process goes."""

    def __init__(self, resolver: Any, fence: HostFence) -> None:
        self._resolver = resolver
        self._fence = fence

    def getaddrinfo(self, host: Any, *arguments: Any, **options: Any) -> Any:
        """As `socket.getaddrinfo`."""
        self._check(host)
        answer = self._resolver.getaddrinfo(host, *arguments, **options)
        self._fence.learn([str(entry[4][0]) for entry in answer])
        return answer

    def gethostbyname_ex(self, host: Any, *arguments: Any) -> Any:
        """As `socket.gethostbyname_ex`."""
        self._check(host)
        answer = self._resolver.gethostbyname_ex(host, *arguments)
        self._fence.learn(answer[2])
        return answer

    def gethostbyname(self, host: Any, *arguments: Any) -> Any:
        """As `socket.gethostbyname`."""
        return self.gethostbyname_ex(host, *arguments)[2][0]

    def _check(self, host: Any) -> None:
        if host is not None:
            _check_slowly(self._fence, host)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resolver, name)


def _checked(method: Any, fence: HostFence) -> Any:
    def checked(sock: socket.socket, *arguments: Any) -> Any:
        address = arguments[-1] if arguments else None
        if isinstance(address, tuple) and sock.family in (socket.AF_INET, socket.AF_INET6):
            _check_slowly(fence, address[0])
        return method(sock, *arguments)

    return checked


def _check_slowly(fence: HostFence, host: str | bytes) -> None:
    """Check; a refusal takes a moment, or a user who tries again at once would leave no time for the others."""
    try:
        fence.check(_text(host))
    except ForbiddenTargetError:
        gevent.sleep(_REFUSAL_S)
        raise


def _text(host: str | bytes) -> str:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    return name.partition("%")[0].lower().rstrip(".")


def _is_unspecified(host: str) -> bool:
    """Whether an address is 0.0.0.0 or ::, which leads to this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""
