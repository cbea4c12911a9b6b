"""`capacity.json`, schema `dbz.capacity/1`: the load that holds all budgets, what broke first, how far that reaches.

    <out>/<id>/
        capacity.json          this document
        capacity.html          the same for people
        runs/<run-id>/         the run whose users were changed, or one for each rate, as `dbz load` writes it
        logs/                  what the embedded stack printed

Times are UTC, durations seconds, rates a second, shares fractions of one. `capacity` is null when nothing was found.
`scaled` says what was changed from step to step: `users`, or the `rate` of arrivals.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dbz.config.described import describe
from dbz.documents import DocumentKind
from dbz.errors import ExitCode
from dbz.runs.schema import BudgetResult, ServiceProcesses

SCHEMA = "dbz.capacity/1"
CAPACITY_FILE = "capacity.json"
RUNS = "runs"
"""The folder of the runs."""


class StepOutcome(StrEnum):
    """What a search came to."""

    SEARCHING = "searching"
    FOUND = "found"
    AT_LEAST = "at least"
    NOTHING_HOLDS = "nothing holds"
    UNDECIDED = "undecided"
    INTERRUPTED = "interrupted"


EXIT_CODES = {
    StepOutcome.SEARCHING: ExitCode.INVALID,
    StepOutcome.FOUND: ExitCode.OK,
    StepOutcome.AT_LEAST: ExitCode.OK,
    StepOutcome.NOTHING_HOLDS: ExitCode.BROKEN,
    StepOutcome.UNDECIDED: ExitCode.INVALID,
    StepOutcome.INTERRUPTED: ExitCode.INTERRUPTED,
}


USERS, RATE = "users", "rate"
"""What a search can scale."""


def load_text(scaled: str, load: int) -> str:
    """A load for people: `260 users`, `120 arrivals/s`."""
    if scaled == RATE:
        return f"{load:,} arrivals/s"
    return f"{load:,} {'user' if load == 1 else 'users'}"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, json_schema_extra=describe)


class BudgetUse(_Part):
    """How much of its limit one budget used in a look."""

    name: str
    used: float | None
    """The share of the limit, above 1 what is broken; null when no amount is known, as when attempts failed."""
    error: float = 0.0
    """The standard error of the logarithm of it, by the samples of the look; 0 where the value has no interval."""
    broken: bool = False
    reached: bool = False
    """Whether it is about the share of the asked rate that was reached: the limit is that rate divided by `used`."""


class CapacityStep(_Part):
    """One look at a load."""

    run: str
    """The id of the run that it is a part of; each look at a rate is a run of its own."""
    start_s: float = 0.0
    """In which second of its run the judged part begins."""
    load: int
    """Users, or arrivals a second."""
    repeated: int
    """How many looks at this load there were before."""
    judged_s: float
    others_percent: float | None = None
    """How much of the machine something else took meanwhile; null when that was not seen."""
    recovery_s: float = 0.0
    """How long the server was given before, because it had not held the load before that."""
    recovered: bool = True
    """Whether it held then what it had held before: if not, an overload may still be in these figures."""
    answer: str
    """`holds`, `breaks` or `undecided` (the generator was the limit, or something else took the machine)."""
    attempts_per_s: float
    """Everything that was measured."""
    requests_per_s: float
    """HTTP requests only."""
    connections: float | None = None
    """Sockets as the server counts them."""
    server_cpu_percent: float | None = None
    """How much of its cores the server used; null when it does not say."""
    used: float | None = None
    """The largest share of a limit that any budget used; null when no upper limit was measured, or when the figure fell
    on failed attempts."""
    tightest: str = ""
    """The name of the budget that used most of its limit."""
    uses: list[BudgetUse] = Field(default_factory=list)
    """Of each budget that was measured; what the search goes by."""
    broken: list[BudgetResult] = Field(default_factory=list)
    reasons: list[str] = Field(default_factory=list)
    services: list[ServiceProcesses] = Field(default_factory=list)
    """The processes of services apart; empty where the target does not tell of them."""


class Headroom(_Part):
    """How the capacity compares with what a phase must carry: ratios, 1 is just enough, null what was not measured."""

    phase: str
    users: float | None
    connections: float | None
    requests: float | None
    lowest: float | None
    """The smallest of the ratios."""
    by: str
    """Which of them that is."""


class ScalabilityFit(_Part):
    """The Universal Scalability Law fitted to the steps: X(N) = lambda·N / (1 + sigma·(N−1) + kappa·N·(N−1)).

    X is `what` a second, N users.
    """

    lambda_: float = Field(alias="lambda")
    sigma: float
    kappa: float
    r_squared: float | None
    points: int
    what: str
    peak_users: float | None
    """Like `peak_per_s`, null when the law has no peak."""
    peak_per_s: float | None


class CapacityFigures(_Part):
    """The highest load that holds all budgets, and what was measured there (the mean of its looks)."""

    load: int
    users: int
    rate_per_s: float | None
    """Arrivals a second; null when the load was closed."""
    attempts_per_s: float
    requests_per_s: float
    connections: float | None
    services: list[ServiceProcesses] = Field(default_factory=list)
    """The processes of services apart; empty where the target does not tell of them."""


class LimitInterval(_Part):
    """Between which loads the limit is, by all looks together."""

    low: int
    high: int
    probability: float
    """That it is there."""


class CapacityRamp(_Part):
    """A growing rate that went before the search for the highest one."""

    run: str
    first_per_s: float
    highest_per_s: float
    """Where it would have ended."""
    knee_per_s: float | None
    """About how many arrivals a second the target took when it fell behind; null when it kept up to the end."""


class Capacity(_Part):
    """The whole of `capacity.json`."""

    schema_: str = Field(SCHEMA, alias="schema")
    id: str
    started: str
    duration_s: float = 0.0
    outcome: StepOutcome = StepOutcome.SEARCHING
    statement: str = ""
    profile: dict[str, Any]
    target: str = ""
    embedded: bool = False
    api_servers: int | None = None
    """How many server processes were measured; null for a target of the user's own."""
    scaled: str
    tolerance: float
    capacity: CapacityFigures | None = None
    limit: int | None = None
    """The lowest load above the capacity that did not hold."""
    between: LimitInterval | None = None
    """Where the limit is, as all looks say together; null when all held, or none."""
    broken: list[BudgetResult] = Field(default_factory=list)
    """The budgets that broke at the limit, the worst first."""
    notes: list[str] = Field(default_factory=list)
    """What a reader should know that does not change the outcome."""
    phases: list[Headroom] = Field(default_factory=list)
    scalability: ScalabilityFit | None = None
    ramp: CapacityRamp | None = None
    """What went before the steps, if anything did."""
    steps: list[CapacityStep] = Field(default_factory=list)
    versions: dict[str, str] = Field(default_factory=dict)
    environment: dict[str, Any] = Field(default_factory=dict)

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(by_alias=True, indent=1)

    def save(self, folder: Path) -> None:
        """Write or replace `capacity.json` in one step."""
        temporary = folder / f"{CAPACITY_FILE}.new"
        temporary.write_text(self.to_json(), encoding="utf-8")
        temporary.replace(folder / CAPACITY_FILE)


def load_capacity(path: Path) -> Capacity:
    """Read a `capacity.json`, or the one in a folder; `UsageError` when it is missing, damaged or of another schema."""
    return _KIND.read(path / CAPACITY_FILE if path.is_dir() else path)


_KIND = DocumentKind(SCHEMA, "a capacity", Capacity.model_validate, hint="dbz capacity writes one")
