"""What a user can choose about the embedded stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dbz.errors import UsageError

MAX_SHARDS = 3
Policy = Literal["tuned", "plan"]


@dataclass(frozen=True)
class StackOptions:
    """What the embedded stack shall be. Raises `UsageError` for numbers that make no stack."""

    clubs: int = 3
    """Demo clubs, of 200 members each."""
    seed: int = 1
    """What the demo data are made from: the same seed, the same data."""
    policy: Policy = "tuned"
    """How chat messages are batched."""
    processes: int = 1
    """Processes of the reference server."""
    port: int | None = None
    """Of the reference server; None for any free one."""
    host: str = "127.0.0.1"
    warmup: str = "default"
    """What the server's cache is warmed with: a file, or `none`."""
    shards: int = 1
    """Stores that the clubs lie on; with more than one, another one stands by."""
    cloud: int = 0
    """Servers that run as tasks of a local cloud; 0 for one server without a cloud."""
    cloud_period_s: float = 10.0
    """How often that cloud writes metrics, in seconds."""

    faults: bool = False
    """Whether admins can make the server slow, failing or leaking."""

    services: str = ""
    """Which processes the reference server consists of, as `dbz serve --services` takes it; empty: one is all. With a
    cloud each service is an ECS service, and the gateways are the tasks of `api`."""

    def __post_init__(self) -> None:
        for name, value, lowest, highest in (
            ("clubs", self.clubs, 1, 100),
            ("processes", self.processes, 1, 64),
            ("shards", self.shards, 1, MAX_SHARDS),
            ("tasks", self.cloud, 0, 20),
        ):
            if not lowest <= value <= highest:
                raise UsageError(f"{name} is {value}, but must be from {lowest} to {highest}", code="E002")
        if not 1 <= self.cloud_period_s <= 3600:
            raise UsageError(
                f"the cloud's period is {self.cloud_period_s:g} s, but must be from 1 s to 1 h", code="E002"
            )
        if self.port is not None and not 1 <= self.port <= 65535:
            raise UsageError(f"port is {self.port}, but must be from 1 to 65535, or none for any free one", code="E002")
