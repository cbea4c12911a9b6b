"""`run.json`, schema `dbz.run/1`: what a run was, and what became of it.

Times are UTC; durations are seconds, latencies milliseconds, shares fractions of one, memory bytes.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dbz.runs.compare.document import Comparison

SCHEMA = "dbz.run/1"


class RunVerdict(StrEnum):
    """What became of a run; `running` is all that a killed dbz leaves behind."""

    RUNNING = "running"
    PASS = "pass"
    FAIL = "fail"
    INVALID = "invalid"
    INTERRUPTED = "interrupted"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Window(_Part):
    """The judged part of the run, in seconds since its start: after the warm-up, before the ramp-down."""

    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """How long the judged part lasted."""
        return max(self.end_s - self.start_s, 0.0)


class BudgetResult(_Part):
    """One budget: what it is about, its limit, and its verdict (`pass`, `broken`, `inconclusive`, `not measured`).

    `value`, `limit`, `low`, `high` and `error` are in `unit` (`ms`, `%` as a fraction of one, `bytes`, `/s` or none).
    `value` is null when nothing was measured, and also when the statistic fell on failed attempts (then `note` or
    `reason` says so). `limit` is null when it is relative to a baseline that is not there; `allowance` is then the
    share it may differ. `low` and `high` are the confidence interval, null where there is none or an end is open;
    `error` is that of the histogram. `effect` is what the verdict means for the run (`none`, `warn`, `fail`,
    `invalid`), `reason` says why the run fails because of it, `note` everything else that a reader should know. `terms`
    are the texts of the budgets file.
    """

    name: str
    of: str
    stat: str
    op: str
    limit: float | None
    unit: str
    value: float | None
    verdict: str
    samples: int
    required: bool = False
    reason: str = ""
    low: float | None = None
    high: float | None = None
    error: float = 0.0
    interval: str = ""
    allowance: float | None = None
    effect: str = "none"
    note: str = ""
    terms: dict[str, Any] = Field(default_factory=dict)


class LatencyFigures(_Part):
    """Latency of all attempts; null where the figure falls on failed ones."""

    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    max: float | None


class Operation(_Part):
    """The judged part of one operation."""

    name: str
    kind: str
    count: int
    errors: int
    rate_per_s: float
    latency_ms: LatencyFigures


class ErrorGroup(_Part):
    """Equal errors of one operation, over the whole run."""

    kind: str
    operation: str
    error: str
    count: int
    first_s: float
    last_s: float


class Deliveries(_Part):
    """Bookkeeping of messages to several receivers, by event, over the whole run."""

    event: str
    sent: int = 0
    expected: int = 0
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0


class Generator(_Part):
    """The health of the load generator itself in the judged part; arrivals begun and dropped are of the whole run."""

    workers: int
    cpu_percent: float
    lag_ms_p99: float
    gc_ms_max: float = 0.0
    gc_percent: float = 0.0
    lost_workers: int = 0
    begun_arrivals: int = 0
    late_arrivals: int = 0
    dropped_arrivals: int = 0


class Server(_Part):
    """What the server said of itself in the judged part; null where it did not say."""

    cpu_percent: float | None = None
    memory_bytes: float | None = None
    connections: float | None = None
    query_ms: dict[str, dict[str, float | None]] = Field(default_factory=dict)


class Machine(_Part):
    """The machine that dbz ran on in the judged part, in per cent of its usable cores, so 100 for all of them.

    `own_percent` is what generator and target used, `others_percent` what everything else did, null when the target's
    processes could not be told from others; `steal_percent` is what the hypervisor gave to other machines.
    """

    cores: int
    own_percent: float
    others_percent: float | None = None
    steal_percent: float = 0.0

    @property
    def disturbed_percent(self) -> float:
        """What was missing to the load and its target."""
        return (self.others_percent or 0.0) + self.steal_percent


class Run(_Part):
    """The whole of `run.json`; `notes` are what a reader should know that does not change the verdict."""

    schema_: str = Field(SCHEMA, alias="schema")
    id: str
    started: str
    duration_s: float = 0.0
    profile: dict[str, Any]
    target: str
    embedded: bool = False
    seed: int
    versions: dict[str, str] = Field(default_factory=dict)
    environment: dict[str, Any] = Field(default_factory=dict)
    verdict: RunVerdict = RunVerdict.RUNNING
    reasons: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    window: Window = Window(start_s=0, end_s=0)
    users_held: int | None = None
    budgets: list[BudgetResult] = Field(default_factory=list)
    operations: list[Operation] = Field(default_factory=list)
    errors: list[ErrorGroup] = Field(default_factory=list)
    deliveries: list[Deliveries] = Field(default_factory=list)
    generator: Generator | None = None
    server: Server | None = None
    machine: Machine | None = None
    comparison: Comparison | None = None

    @property
    def title(self) -> str:
        """The profile and when the run was started, for headings."""
        return f"{self.profile.get('name', '?')}, {datetime.fromisoformat(self.started):%Y-%m-%d %H:%M:%S} UTC"

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(by_alias=True, indent=1)
