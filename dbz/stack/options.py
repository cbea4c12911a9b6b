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

    With more than one of `shards` the clubs lie on so many stores, and one more stands by. `warmup` is what the
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

    def __post_init__(self) -> None:
        for name, value, highest in (
            ("clubs", self.clubs, 100),
            ("processes", self.processes, 64),
            ("shards", self.shards, MAX_SHARDS),
        ):
            if not 1 <= value <= highest:
                raise UsageError(f"{name} is {value}, but must be from 1 to {highest}")
        if self.port is not None and not 1 <= self.port <= 65535:
            raise UsageError(f"port is {self.port}, but must be from 1 to 65535, or none for any free one")
