"""What the launcher tells a generator process; handed over as JSON in the environment variable `DBZ_LOAD_SPEC`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from dbz.config.shapes import Stage
from dbz.load.arrivals import Ramp, Spacing

ENVIRONMENT_KEY = "DBZ_LOAD_SPEC"
INSPECTION_KEY = "DBZ_LOAD_INSPECTION"
"""The environment variable that asks what is in a Locust file: its path, where to answer, and what it may reach."""
ERROR_PREFIX = "dbz-error: "
"""Begins the line of a generator's log that the user must read when the process refuses to begin."""


class GeneratorRole(StrEnum):
    """What a generator process is: alone, the master of several, one of them, or one of them on another machine."""

    LOCAL = "local"
    MASTER = "master"
    WORKER = "worker"
    REMOTE = "remote"


@dataclass(frozen=True)
class AdHocRequest:
    """One request that every user repeats, when the load is a URL instead of a scenario."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class GeneratorSpec:
    """Everything a generator process needs. Times are seconds; the start is one moment on two clocks.

    The monotonic clock is shared by all processes of a machine, so that workers agree on the second a sample falls in.
    `users`, `rate_per_s` and the targets of `stages` (pairs of target and seconds) are those of the whole run; Locust's
    master shares the users out, each worker takes its share of the arrivals.
    """

    folder: str
    role: GeneratorRole
    worker: int
    workers: int
    scenario: str
    target: str
    users: int
    rate_per_s: float | None
    duration_s: float
    warmup_s: float
    seed: int
    clubs: int
    started_epoch_s: float
    started_monotonic_s: float
    spacing: Spacing = "even"
    open_users: tuple[str, ...] = ()
    pacing_s: float | None = None
    stages: tuple[tuple[float, float], ...] = ()
    connections: int | None = None
    requests_per_s: float | None = None
    master_host: str = "127.0.0.1"
    master_port: int = 0
    allowed_targets: tuple[str, ...] = ()
    request: AdHocRequest | None = None
    hosts: tuple[str, ...] = ()
    """Base URLs that the user classes of a Locust file name themselves; empty when all of them load `target`."""

    def to_json(self) -> str:
        """The text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> GeneratorSpec:
        """Read what `to_json` wrote."""
        raw = json.loads(text)
        request = AdHocRequest(**raw.pop("request")) if raw.get("request") else None
        raw["stages"] = tuple((to, over_s) for to, over_s in raw["stages"])
        raw |= {key: tuple(raw[key]) for key in ("open_users", "allowed_targets", "hosts")}
        return cls(**{**raw, "role": GeneratorRole(raw["role"]), "request": request})

    @property
    def ramp(self) -> Ramp:
        """The target over time, from the first arrival or user on: users, or arrivals a second when there is a rate."""
        start = float(self.users) if self.rate_per_s is None else self.rate_per_s
        return Ramp(start, self.warmup_s, [Stage(to, over_s) for to, over_s in self.stages])
