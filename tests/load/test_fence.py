"""Which hosts a generator process may reach."""

from __future__ import annotations

import pytest

from dbz.load.generator.net.faults import ForbiddenTargetError
from dbz.load.generator.net.fence import HostFence


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "0.0.0.0", "::", "api.localhost"])
def test_this_machine_is_always_inside(host: str) -> None:
    HostFence([]).check(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "staging.example", "localhost.example"])
def test_everything_else_must_be_named(host: str) -> None:
    with pytest.raises(ForbiddenTargetError, match=f"--allow-target {host}"):
        HostFence([]).check(host)
    HostFence([host]).check(host)


def test_the_addresses_of_a_name_are_inside_once_they_are_known() -> None:
    fence = HostFence(["staging.example"])
    fence.learn(["192.0.2.7"])
    fence.check("192.0.2.7")
    with pytest.raises(ForbiddenTargetError):
        fence.check("192.0.2.8")
