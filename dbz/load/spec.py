"""What the launcher tells a generator process; handed over as JSON in the environment variable `DBZ_LOAD_SPEC`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum, StrEnum

from dbz.config.load.shapes import Stage
from dbz.load.planning.arrivals import Ramp, Spacing
from dbz.load.planning.networks import Network

ENVIRONMENT_KEY = "DBZ_LOAD_SPEC"
INSPECTION_KEY = "DBZ_LOAD_INSPECTION"
"""The environment variable that asks what is in a Locust file: its path, where to answer, and what it may reach."""
SECRET_VARIABLE = "DBZ_WORKER_SECRET"
"""Names the secret that workers of other machines share with their master."""
WORKER_PATIENCE_S = 15.0
"""How long a worker waits for its master."""
ERROR_PREFIX = "dbz-error: "
"""Begins the line of a generator's log that says why it did not run: the error's code and its message follow."""


class ProcessEnd(IntEnum):
    """The exit codes of a generator process. A scenario may call `exit(0)` at any time: only a code that nothing else
    ends with shows that the record is complete."""

    COMPLETE = 64
    USAGE = 65
    UNREACHABLE = 66
    ENDED_BY_SCENARIO = 67


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
    """Everything a generator process needs.

    `users`, `rate_per_s` and the targets of `stages` are those of the whole run: Locust's master shares the users out,
    each worker takes its share of the arrivals.
    """

    folder: str
    """The run's folder, which the record is written to."""
    role: GeneratorRole
    worker: int
    """This worker's number, from 0."""
    workers: int
    scenario: str
    """The path of the file with the user classes; empty for an ad-hoc `request`."""
    target: str
    """The base URL of the load."""
    users: int
    rate_per_s: float | None
    """Arrivals a second in the open model; None in the closed one."""
    duration_s: float
    """The judged part; the warm-up comes before it."""
    warmup_s: float
    seed: int
    clubs: int
    """How many clubs the embedded stack has."""
    started_epoch_s: float
    """The start of the run on the wall clock."""
    started_monotonic_s: float
    """The same moment on the monotonic clock, which all processes of a machine share: workers agree on the second that
    a sample falls in."""
    spacing: Spacing = "even"
    open_users: tuple[str, ...] = ()
    """User classes that take arrivals; empty for all of them."""
    arrivals: str = ""
    """The path of a file of recorded arrivals, at which tasks begin."""
    speed: float = 1.0
    """How many times as fast as recorded they come."""
    tags: tuple[str, ...] = ()
    """Only tasks with one of these are done; empty for all."""
    exclude_tags: tuple[str, ...] = ()
    """Tasks with one of these are not done."""
    without: tuple[str, ...] = ()
    """What the users' app does not take care of."""
    pacing_s: float | None = None
    """In the closed model: from one task of a user to its next; None for as the scenario says."""
    stages: tuple[tuple[float, float], ...] = ()
    """Pairs of a target (users, or arrivals a second) and the seconds until it is reached."""
    connections: int | None = None
    """How many users hold a Socket.IO connection; None for as the scenario says."""
    requests_per_s: float | None = None
    """At which rate the others make HTTP requests together; None for as the scenario says."""
    master_host: str = "127.0.0.1"
    master_port: int = 0
    secret: str = ""
    """What master and workers of this run know and nobody else does."""
    ticket: str = ""
    """What a worker that joined from elsewhere shows with its record: its number was handed out to it."""
    admits_workers: bool = False
    """Whether this master lets workers of elsewhere join."""
    allowed_targets: tuple[str, ...] = ()
    """Hosts beside the target and this machine that users may reach."""
    request: AdHocRequest | None = None
    whole_shape: bool = False
    """Whether the file's load shape says how long the run is, not `duration_s`."""
    hosts: tuple[str, ...] = ()
    """Base URLs that the user classes of a Locust file name themselves; empty when all of them load `target`."""
    ordered: bool = False
    """Whether `orders.jsonl` in the folder says how many users there are, while the run goes on and until it is ended:
    `users` then only says in which size the profile gives connections and requests."""
    users_per_club: float = 0.0
    """Not 0: users fill the clubs one after another, so many each, instead of going round all of them."""

    networks: tuple[Network, ...] = ()
    """On which networks the users are; empty when all are on this machine's."""
    service_header: str = ""
    """The header field of answers that names the service which gave them; empty: nobody asks."""

    def to_json(self) -> str:
        """The text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> GeneratorSpec:
        """Read what `to_json` wrote."""
        raw = json.loads(text)
        request = AdHocRequest(**raw.pop("request")) if raw.get("request") else None
        raw["stages"] = tuple((to, over_s) for to, over_s in raw["stages"])
        raw |= {
            key: tuple(raw[key])
            for key in ("open_users", "tags", "exclude_tags", "without", "allowed_targets", "hosts")
        }
        raw["networks"] = tuple(Network(**network) for network in raw["networks"])
        return cls(**{**raw, "role": GeneratorRole(raw["role"]), "request": request})

    @property
    def ramp(self) -> Ramp:
        """The target over time, from the first arrival or user on: users, or arrivals a second when there is a rate."""
        start = float(self.users) if self.rate_per_s is None else self.rate_per_s
        return Ramp(start, self.warmup_s, [Stage(to, over_s) for to, over_s in self.stages])

    @property
    def is_paced(self) -> bool:
        """Whether tasks of some users have an intended start."""
        return bool(self.pacing_s or self.arrivals or self.requests_per_s is not None or self.rate_per_s is not None)

    @property
    def is_repeatable(self) -> bool:
        """Whether the load is one request again and again, as fast as it is answered or at arrivals by rate.

        Not over shaped networks, not at a pace of each user's own, and not what is never answered by a body.
        """
        paced = self.pacing_s or self.requests_per_s is not None or self.arrivals or self.open_users
        return self.request is not None and self.request.method != "HEAD" and not self.networks and not paced
