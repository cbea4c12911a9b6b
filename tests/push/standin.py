"""A stand-in of push providers for tests, and what they ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.standins import RunningStandIn, start_stand_in


class PushStandIn(RunningStandIn):
    """A running stand-in of push providers."""

    def environment(self) -> dict[str, str]:
        """What a server needs to use it."""
        given: dict[str, str] = self.http.get("/_dbz/environment", params={"json": 1}).json()
        return given

    def received(self, token: str = "") -> list[dict[str, Any]]:
        """What was received, for all devices or one."""
        pushes = self.http.get("/_dbz/ledger").json()["received"]
        return [push for push in pushes if token in ("", push["token"])]

    def shown(self, token: str) -> list[dict[str, Any]]:
        """What a device shows."""
        shown: list[dict[str, Any]] = self.http.get("/_dbz/ledger").json()["shown"].get(token, [])
        return shown

    def answered(self) -> dict[str, int]:
        """How often was answered what."""
        counts: dict[str, int] = self.http.get("/_dbz/ledger").json()["answered"]
        return counts


@contextmanager
def start_push(folder: Path) -> Iterator[PushStandIn]:
    """A stand-in that answers."""
    with start_stand_in("push", folder) as (url, http):
        yield PushStandIn(url, http)
