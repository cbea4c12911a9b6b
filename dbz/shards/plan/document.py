"""Plans: which clubs move where, and what that brings; as JSON, schema `dbz.shard-plan/1`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from dbz.documents import DocumentKind

SCHEMA = "dbz.shard-plan/1"

Measure = Literal["bytes", "docs", "ops"]


@dataclass(frozen=True)
class Request:
    """What the user wants: to even out, with shards added or emptied, and clubs put on a shard of their own choice."""

    add: tuple[str, ...] = ()
    drain: tuple[str, ...] = ()
    pin: Mapping[str, str] = field(default_factory=dict)
    by: Measure = "bytes"
    tolerance: float = 0.05
    move: Mapping[str, str] = field(default_factory=dict)
    """{club: shard} of clubs that are to move, and nothing else."""


@dataclass(frozen=True)
class Weight:
    """A club's size: documents, bytes, and writes a second where they were counted."""

    docs: int
    bytes: int
    ops: float = 0.0


@dataclass(frozen=True)
class PlannedMove:
    """One club from shard to shard."""

    club: str
    source: str
    target: str
    docs: int
    bytes: int


@dataclass(frozen=True)
class ShardLoad:
    """What a shard holds now and what it will hold."""

    shard: str
    clubs: int
    docs: int
    bytes: int
    clubs_after: int
    docs_after: int
    bytes_after: int


@dataclass(frozen=True)
class MovePlan:
    """Everything that would be done, and what it would bring; shares are fractions of the whole, by `by`."""

    deployment: str
    epoch: int
    """The epoch of the map that the plan was made for; it is refused at any other."""
    by: Measure
    """What is to be even."""
    add: tuple[str, ...]
    drain: tuple[str, ...]
    pin: Mapping[str, str]
    """{club: shard}"""
    shards: tuple[str, ...]
    """The shards that hold clubs afterwards."""
    owners: tuple[str, ...]
    """The shard of each slot afterwards, in the order of the slots."""
    moves: tuple[PlannedMove, ...]
    """In this order each improves the balance."""
    loads: tuple[ShardLoad, ...]
    imbalance_before: float
    """The heaviest shard over the mean."""
    imbalance_after: float
    moved_share: float
    ideal_share: float
    """What any plan must move to even out exactly; clubs do not divide, so it may be out of reach."""
    modulo_share: float | None
    """What `hash % shards` would move of all clubs; None when the number of shards does not change."""
    entries: int
    """Clubs that the map then holds apart from their slots."""
    rate_bytes_per_s: float | None = None
    """The rate behind `estimated_s`; None when nothing moves."""
    estimated_s: float | None = None
    estimate_measured: bool = False
    """Whether the estimate is how earlier moves went; else it comes from a sample that was read."""
    least_share: float = 0.0
    """What any plan must move to come within the tolerance; it may be out of reach like `ideal_share`."""
    tolerance: float = 0.05
    """How far from the mean a shard may stay, as a share."""
    shortfall: str = ""
    """Why the shards do not come within the tolerance; empty when they do."""
    warnings: tuple[str, ...] = ()
    """What the plan does not forbid, but whoever carries it out should know."""

    @property
    def bytes(self) -> int:
        """Bytes that move."""
        return sum(move.bytes for move in self.moves)

    @property
    def docs(self) -> int:
        """Documents that move."""
        return sum(move.docs for move in self.moves)

    def at_rate(self, bytes_per_s: float, seconds: float, measured: bool) -> MovePlan:
        """The plan with the time that it takes."""
        return replace(self, rate_bytes_per_s=bytes_per_s, estimated_s=seconds, estimate_measured=measured)

    def to_json(self) -> str:
        """The plan as JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2)


def load_plan(path: Path) -> MovePlan:
    """A plan that was saved; `UsageError` when the file is not one."""
    return _KIND.read(path)


def _made(document: Mapping[str, Any]) -> MovePlan:
    data = {key: value for key, value in document.items() if key != "schema"}
    data["moves"] = tuple(PlannedMove(**move) for move in data["moves"])
    data["loads"] = tuple(ShardLoad(**load) for load in data["loads"])
    lists = ("add", "drain", "shards", "owners", "warnings")
    return MovePlan(**{**data, **{name: tuple(data[name]) for name in lists}})


_KIND = DocumentKind(SCHEMA, "a plan of dbz shard plan", _made, "plan file '{path}' cannot be read")
