"""A stand-in of push providers for tests, and what they ask of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from dbz.children import Child, free_port, wait_until


class PushStandIn:
    """A running stand-in: `http` to ask it."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.url = url
        self.http = http

    def control(self, **wanted: Any) -> None:
        """Ask for faults and dead tokens."""
        answer = self.http.post("/_dbz/control", json=wanted)
        assert answer.status_code == 200, answer.text

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
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    child = Child("push", [sys.executable, "-m", "dbz.push", "--port", str(port)], log=folder / "push.log")
    with child, httpx.Client(base_url=url) as http:
        wait_until(lambda: _answers(http), child, deadline_s=20, what="the stand-in of push providers")
        yield PushStandIn(url, http)


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/_dbz/ready").status_code == 200
    except httpx.HTTPError:
        return False
