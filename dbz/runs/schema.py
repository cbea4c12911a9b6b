"""`run.json`, schema `dbz.run/1`: what a run was, and what became of it.

Times are UTC; durations are seconds, latencies milliseconds, shares fractions of one, memory bytes.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dbz.config.described import describe
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
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, json_schema_extra=describe)


class Window(_Part):
    """The judged part of the run, in seconds since its start: after the warm-up, before the ramp-down."""

    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """How long the judged part lasted."""
        return max(self.end_s - self.start_s, 0.0)


class BudgetResult(_Part):
    """One budget: what it is about, its limit, and its verdict.

    `value`, `limit`, `low`, `high` and `error` are in `unit`.
    """

    name: str
    of: str
    """The selector: a metric, and which parts of it."""
    stat: str
    op: str
    """The comparison of the limit: `<`, `<=`, `>` or `>=`."""
    limit: float | None
    """Null when it is relative to a baseline that is not there."""
    unit: str
    """`ms`, `%` (as a fraction of one), `bytes`, `/s`, or empty for a plain number."""
    value: float | None
    """Null when nothing was measured, and when the statistic fell on failed attempts; `note` or `reason` says which."""
    verdict: str
    """`pass`, `broken`, `inconclusive` or `not measured`."""
    samples: int
    required: bool = False
    reason: str = ""
    """Why the run fails, or is invalid, because of it."""
    low: float | None = None
    """Like `high`: an end of the confidence interval, null where there is none or the end is open."""
    high: float | None = None
    error: float = 0.0
    """By how much the histogram may be off."""
    interval: str = ""
    """The confidence interval for people."""
    allowance: float | None = None
    """The share that the value may differ from a baseline's."""
    effect: str = "none"
    """What the verdict means for the run: `none`, `warn`, `fail` or `invalid`."""
    note: str = ""
    """What else a reader should know of how it was judged."""
    terms: dict[str, Any] = Field(default_factory=dict)
    """The texts of the budgets file."""


class LatencyFigures(_Part):
    """Latency of all attempts; null where the figure falls on failed ones."""

    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    max: float | None


class AnswerMeans(_Part):
    """What answered HTTP requests took in the mean, in milliseconds; the four parts add up to `mean_ms`."""

    count: int
    mean_ms: float
    connect_ms: float
    """Looking up the name and connecting, through a proxy too; almost nothing where connections are kept."""
    tls_ms: float
    first_byte_ms: float
    """Sending the request and waiting for the first byte of its answer."""
    body_ms: float
    """From that byte to the last one, read and decompressed."""
    connections: int
    """How many were opened for these requests."""
    bytes: float
    """The mean size of a body as it was sent, still compressed."""


class Operation(_Part):
    """The judged part of one operation."""

    name: str
    kind: str
    count: int
    errors: int
    rate_per_s: float
    latency_ms: LatencyFigures
    answers: AnswerMeans | None = None
    """Where the time of those that were answered went; null for other kinds, and for clients that do not say."""
    doubtful: int = 0
    """Answers or acknowledgements that count as good, and say themselves that something went wrong."""


class PageFigures(_Part):
    """The judged part of a page that a browser opened again and again, each time with empty caches.

    All but counts are medians over the visits that loaded it, null where none has such a figure.
    """

    url: str
    """As it was asked for: a path below the target, or a URL."""
    visits: int
    failed: int
    """Of them: not loaded, or answered with 400 or more."""
    load_ms: float | None = None
    """Until it was loaded and its largest content painted."""
    load_max_ms: float | None = None
    """The longest of them."""
    load_event_ms: float | None = None
    ttfb_ms: float | None = None
    """Until the first byte of the page's own answer."""
    fcp_ms: float | None = None
    """First contentful paint."""
    lcp_ms: float | None = None
    """Largest contentful paint."""
    inp_ms: float | None = None
    """From a click to the next frame; null where nothing was clicked."""
    cls: float | None = None
    """Cumulative layout shift."""
    bytes: float | None = None
    """All that came over the wire."""
    requests: float | None = None
    failed_requests: float | None = None
    script_errors: float | None = None
    clicked: str = ""
    """What the thing that was clicked is called."""
    errors: list[str] = Field(default_factory=list)
    """Why visits failed, each reason once."""
    problems: list[str] = Field(default_factory=list)
    """What else went wrong in the page: requests that failed, errors of its scripts."""
    blocked_hosts: list[str] = Field(default_factory=list)
    """Hosts that the page asked, and nobody allowed it to."""


class BrowserFigures(_Part):
    """The browser that opened pages on the machine of the run."""

    version: str
    cpu_percent: float | None = None
    """What it used of the machine's usable cores while it opened pages; part of what the load itself used."""


class CareFigures(_Part):
    """What a load asked of its server, for a table of what the care of its users' app saves."""

    run: str
    """The id of the run."""
    without: list[str]
    """What the app did not take care of; empty for the load with all care."""
    requests_per_s: float
    bytes_per_s: float
    """Of bodies, as they were sent."""
    server_cpu_percent: float | None
    """Of the cores given to it; null where nobody said it."""
    p95_ms: float | None
    """Of all HTTP requests; null where it falls on failed ones."""
    composite_p95_ms: float | None
    """Of all composites, such as screens; null where there were none too."""
    answer_bytes: dict[str, float] = {}
    """By operation: the mean size of an answer's body, as it was sent; of those that were answered several times."""


class CounterFigures(_Part):
    """The judged part of what the scenario counted."""

    name: str
    calls: int
    """How often it was counted up."""
    total: float
    rate_per_s: float


class ErrorGroup(_Part):
    """Equal errors of one operation in the judged part."""

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
    astray: int = 0
    """Messages that reached somebody who was not in their channel."""


class Generator(_Part):
    """The health of the load generator itself in the judged part."""

    workers: int
    cpu_percent: float
    """Of one core, of the busiest worker."""
    lag_ms_p99: float
    """How late the event loops woke up."""
    gc_ms_max: float = 0.0
    gc_percent: float = 0.0
    """Of the time, over all workers."""
    lost_workers: int = 0
    begun_arrivals: int = 0
    """Over the whole run; the same goes for those that were dropped, because no user was free for them."""
    late_arrivals: int = 0
    dropped_arrivals: int = 0
    died_users: int = 0
    """Users of the whole run that an error of the scenario's code ended, like one in `on_start`."""


class ServerSource(_Part):
    """Where a figure of the server comes from."""

    origin: str = ""
    """The URL of its metrics, or which processes of this machine."""
    metric: str = ""
    """What it is called there; empty for what was seen of processes."""
    note: str = ""
    """What else there is to know of it."""


class Server(_Part):
    """What the server said of itself in the judged part, or this machine of its processes; null where nobody did."""

    cpu_percent: float | None = None
    memory_bytes: float | None = None
    connections: float | None = None
    event_loop_lag_ms: float | None = None
    """The worst."""
    active_requests: float | None = None
    """The most at a time."""
    query_ms: dict[str, dict[str, float | None]] = Field(default_factory=dict)
    sources: dict[str, ServerSource] = Field(default_factory=dict)
    """By figure: `cpu`, `memory`, `connections`, `event_loop_lag`, `active_requests`, `queries`."""


class Machine(_Part):
    """The machine that dbz ran on in the judged part, in per cent of its usable cores, so 100 for all of them."""

    cores: int
    own_percent: float
    """What generator and target used."""
    others_percent: float | None = None
    """What everything else used; null when the target's processes could not be told from others."""
    steal_percent: float = 0.0
    """What the hypervisor gave to other machines."""

    @property
    def disturbed_percent(self) -> float:
        """What was missing to the load and its target."""
        return (self.others_percent or 0.0) + self.steal_percent


class BreakerOpening(_Part):
    """A circuit breaker that was not closed for a while, as the target told once a second."""

    service: str
    instance: str = ""
    """Empty for the breaker of the service as a whole."""
    opened_s: float
    """Since the start of the run."""
    closed_s: float | None = None
    """Null when it was not closed again while the run lasted."""

    @property
    def seconds(self) -> float | None:
        """For how long; None when nobody saw the end."""
        return None if self.closed_s is None else self.closed_s - self.opened_s


class InjectedFault(_Part):
    """A fault that a load asked of one service, in seconds since the start of the run."""

    service: str
    kind: str
    """`slow`, `errors` or `kill`."""
    what: str
    """In words, after the name of the service."""
    start_s: float
    end_s: float | None = None
    """Null when it lasted until the end of the run; of a kill the moment itself."""


class ServiceProcesses(_Part):
    """The processes of a service behind a gateway in the judged part, as the gateway told once a second."""

    name: str
    processes: int | None = None
    """How many ran most of the time; null when that was not told."""
    cpu_cores: float | None = None
    """What they used together in the mean, in cores; null when that was not told."""
    calls_per_s: float | None = None
    """Requests and events that came to them, of clients and of other services; null for the gateway itself."""
    requests_per_s: float | None = None
    """Of these the HTTP requests of the load; null where answers do not say who gave them."""


class Run(_Part):
    """The whole of `run.json`."""

    schema_: str = Field(SCHEMA, alias="schema")
    id: str
    started: str
    duration_s: float = 0.0
    profile: dict[str, Any]
    target: str
    embedded: bool = False
    seed: int
    repetition: str = ""
    """Which one of several runs of one command it is, like `2 of 5`; empty when it is the only one."""
    versions: dict[str, str] = Field(default_factory=dict)
    environment: dict[str, Any] = Field(default_factory=dict)
    verdict: RunVerdict = RunVerdict.RUNNING
    reasons: list[str] = Field(default_factory=list)
    """Why the verdict is not `pass`, each in one sentence."""
    notes: list[str] = Field(default_factory=list)
    """What a reader should know that does not change the verdict."""
    window: Window = Window(start_s=0, end_s=0)
    users_held: int | None = None
    """The fewest users at any second of the judged part."""
    users_most: int | None = None
    """The most; more than were held where a load has stages or a shape."""
    budgets: list[BudgetResult] = Field(default_factory=list)
    operations: list[Operation] = Field(default_factory=list)
    networks: list[Operation] = Field(default_factory=list)
    """By network and kind, all operations of its users together, the network's name in place of theirs; empty in a load
    whose users are all on this machine's."""
    services: list[Operation] = Field(default_factory=list)
    """By the service that answered, all operations together, the service's name in place of theirs; empty where no
    answer names one."""
    service_processes: list[ServiceProcesses] = Field(default_factory=list)
    """The processes of these services and of the gateway; empty where the target does not tell of them."""
    faults: list[InjectedFault] = Field(default_factory=list)
    """Faults that the load asked for, in the order of their times."""
    breakers: list[BreakerOpening] = Field(default_factory=list)
    """Circuit breakers that opened at any time of the run, by the metrics of the target; empty where it tells of
    none."""
    care: list[CareFigures] = Field(default_factory=list)
    """This run, and those that left out some care of the app (`dbz load --without … --each`)."""
    pages: list[PageFigures] = Field(default_factory=list)
    """Pages that a browser opened while the load ran; empty in a load that opens none."""
    browser: BrowserFigures | None = None
    """Null in a load that opens no pages."""
    counters: list[CounterFigures] = Field(default_factory=list)
    errors: list[ErrorGroup] = Field(default_factory=list)
    errors_outside: int = 0
    """Errors before and after the judged part, which no figure counts."""
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
