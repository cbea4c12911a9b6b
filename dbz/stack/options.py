"""What a user can choose about the embedded stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dbz.errors import UsageError

MAX_SHARDS = 3
Policy = Literal["tuned", "plan"]


@dataclass(frozen=True)
class StackOptions:
    """`clubs` of 200 members each, made from `seed`; `processes` of the server; `port` None means any free one.

    With more than one of `shards` the clubs lie on so many stores, and one more stands by. With `cloud` that many
    servers run as tasks of a local cloud, which writes metrics every `cloud_period_s` seconds. `warmup` is what the
    server's cache is warmed with: a file, or `none`. Raises `UsageError` for numbers that make no stack.
    """

    clubs: int = 3
    seed: int = 1
    policy: Policy = "tuned"
    processes: int = 1
    port: int | None = None
    host: str = "127.0.0.1"
    warmup: str = "default"
    shards: int = 1
    cloud: int = 0
    cloud_period_s: float = 10.0

    def __post_init__(self) -> None:
        for name, value, lowest, highest in (
            ("clubs", self.clubs, 1, 100),
            ("processes", self.processes, 1, 64),
            ("shards", self.shards, 1, MAX_SHARDS),
            ("tasks", self.cloud, 0, 20),
        ):
            if not lowest <= value <= highest:
                raise UsageError(f"{name} is {value}, but must be from {lowest} to {highest}")
        if not 1 <= self.cloud_period_s <= 3600:
            raise UsageError(f"the cloud's period is {self.cloud_period_s:g} s, but must be from 1 s to 1 h")
        if self.port is not None and not 1 <= self.port <= 65535:
            raise UsageError(f"port is {self.port}, but must be from 1 to 65535, or none for any free one")
