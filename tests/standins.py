"""Stand-ins of other people's services, as tests start them: `python -m dbz.band`, `python -m dbz.push`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from dbz.children import free_port, wait_until
from tests.children.forked import start_module


class RunningStandIn:
    """A running stand-in: `http` to ask it."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.url = url
        self.http = http

    def control(self, **wanted: Any) -> None:
        """Ask for faults, changes, other rates."""
        answer = self.http.post("/_dbz/control", json=wanted)
        assert answer.status_code == 200, answer.text


@contextmanager
def start_stand_in(name: str, folder: Path, *options: str) -> Iterator[tuple[str, httpx.Client]]:
    """Where `python -m dbz.NAME` answers, and a client of it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    child = start_module(name, f"dbz.{name}.__main__", ["--port", str(port), *options], log=folder / f"{name}.log")
    with child, httpx.Client(base_url=url, timeout=60) as http:
        wait_until(lambda: _answers(http), child, deadline_s=20, what=f"the stand-in {name}")
        yield url, http


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/_dbz/ready").status_code == 200
    except httpx.HTTPError:
        return False
