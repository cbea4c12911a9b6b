"""The options of `dbz load` and `dbz capacity`, in groups that know which object of the load they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dbz.cli.options import (
    DEFAULT_REPORTS,
    AllowTarget,
    AllowVanished,
    Budgets,
    Embedded,
    ExcludeTags,
    Health,
    LoadTarget,
    MetricsUrl,
    Networks,
    PhasesFile,
    Seed,
    ServiceHeader,
    ServicesPlan,
    Tags,
    Without,
    Workers,
    address_of,
    parsed,
    share_of,
    tags_of,
)

if TYPE_CHECKING:
    from dbz.load.planning.plan import LoadPlan, LoadRequest

Text = str | None


@dataclass(frozen=True)
class LoadOptions:
    """What is run, against what, how much of it, for how long, and by which budgets."""

    subject: Annotated[
        str, typer.Argument(metavar="PROFILE | URL | FILE.py", help="What to run.", show_default=True)
    ] = "mixed"
    target: LoadTarget = ""
    embedded: Embedded = False
    services: ServicesPlan = ""
    faults: Annotated[
        list[str] | None,
        typer.Option(metavar="FAULT", help="With services apart: 'game slow 300ms at 10s for 5s'; may be repeated."),
    ] = None
    users: Annotated[int | None, typer.Option(help="Virtual users held at the same time.")] = None
    phase: Annotated[
        str, typer.Option(help="Users, connections and requests of a phase of the scaling plan, like phase_2.")
    ] = ""
    phases: PhasesFile = "default"
    rate: Annotated[Text, typer.Option(help="Open model: tasks begin at this rate, like 200/s or 5000/min.")] = None
    speed: Annotated[float | None, typer.Option(help="With recorded arrivals: how many times as fast they come.")] = (
        None
    )
    duration: Annotated[Text, typer.Option(help="Length of the judged part, like 60s or 5m.")] = None
    warmup: Annotated[Text, typer.Option(help="Time before it that is not judged, like 10s.")] = None
    budgets: Budgets = None
    workers: Workers = None
    seed: Seed = None
    network: Networks = None
    without: Without = None
    each: Annotated[
        bool,
        typer.Option("--each", help="With --without: a load without each, one with all care, and what each saves."),
    ] = False
    page: Annotated[
        list[str] | None,
        typer.Option(
            "--page", metavar="PATH|URL", help="Open this page in a browser again and again meanwhile; repeatable."
        ),
    ] = None
    page_every: Annotated[Text, typer.Option(help="How often each page is opened, like 5s.")] = None
    tags: Tags = None
    exclude_tags: ExcludeTags = None
    allow_target: AllowTarget = None
    health: Health = None
    service_header: ServiceHeader = None
    metrics_url: MetricsUrl = None

    def overrides(self) -> dict[str, Any]:
        """The keys of the profile that were given; `UsageError` for services that are no plan."""
        if self.services:
            from dbz.config.load.services import has_band, instances_of

            instances_of(self.services, band=has_band())
        if self.faults:
            from dbz.config.load.faults import parse_fault
        for fault in self.faults or ():
            parsed("--faults", fault, parse_fault)
        keys = ("users", "rate", "speed", "duration", "warmup", "budgets", "workers", "seed", "network")
        places = ("health", "service_header")
        pages = {"pages": [{"url": url} for url in self.page]} if self.page else {}
        tags = {
            "tags": tags_of(self.tags),
            "exclude_tags": tags_of(self.exclude_tags),
            "without": tags_of(self.without),
        }
        of_stack = given({"services": self.services or None, "faults": self.faults})
        stack = {"stack": of_stack} if of_stack else {}
        metrics = {"metrics": {"url": self.metrics_url}} if self.metrics_url else {}
        chosen = {key: getattr(self, key) for key in (*keys, *places, "page_every")}
        return {**given({**chosen, **tags}), **metrics, **stack, **pages}


@dataclass(frozen=True)
class UrlOptions:
    """The one request that users repeat when the subject is a URL."""

    method: Annotated[str, typer.Option("-X", "--method", help="With a URL: the HTTP method.")] = "GET"
    header: Annotated[list[str] | None, typer.Option("-H", "--header", help="With a URL: a header to send.")] = None
    data: Annotated[str, typer.Option("-d", "--data", help="With a URL: the body to send.")] = ""


@dataclass(frozen=True)
class MachineOptions:
    """Load generators on other machines."""

    master: Annotated[bool, typer.Option("--master", help="Let --workers workers join instead of starting them.")] = (
        False
    )
    master_host: Annotated[str, typer.Option(help="Where the master listens, or where a worker finds it.")] = (
        "127.0.0.1"
    )
    master_port: Annotated[int, typer.Option(help="The master's port.", min=1, max=65535)] = 5557


@dataclass(frozen=True)
class BaselineOptions:
    """Earlier runs that the new ones are held against, and how many new ones there are."""

    baseline: Annotated[
        str, typer.Option(metavar="RUN|latest|DIR", help="Fail when slower than this run, or than a folder's runs.")
    ] = ""
    threshold: Annotated[
        str, typer.Option(metavar="SHARE", help="With --baseline: the smallest slowdown that counts.")
    ] = "5%"
    busy: Annotated[
        str,
        typer.Option(
            metavar="SHARE",
            help="With --baseline: what else may use more of this machine than in the baseline before nothing is "
            "called slower; 100% to ignore it.",
        ),
    ] = "10%"
    repeat: Annotated[
        int, typer.Option(help="Runs, one after the other; with --baseline they are compared together.", min=1, max=100)
    ] = 1
    force: Annotated[bool, typer.Option("--force", help="With --baseline: compare what is not comparable.")] = False
    allow_vanished: AllowVanished = False

    def applied_to(self, plan: LoadPlan, reports: Path) -> LoadPlan:
        """The plan, held against the baseline if there is one; `UsageError` when it cannot be."""
        if not self.baseline:
            return plan
        from dbz.load.new_run import plan_against
        from dbz.measure.compare.terms import ComparisonTerms

        terms = ComparisonTerms(
            threshold=share_of("--threshold", self.threshold),
            busy=share_of("--busy", self.busy),
            allow_vanished=self.allow_vanished,
        )
        planned = plan_against(plan, self.baseline, reports, terms, force=self.force, repeat=self.repeat)
        if planned.baseline is None:
            typer.echo(f"No earlier run in {reports} can be compared with this one: it has no baseline.", err=True)
        return planned


@dataclass(frozen=True)
class OutputOptions:
    """Where a run's folder is made, and where the run is shown."""

    out: Annotated[Path, typer.Option(help="Folder that gets a folder for this run.")] = DEFAULT_REPORTS
    as_json: Annotated[bool, typer.Option("--json", help="Print run.json instead of the tables.")] = False
    no_live: Annotated[bool, typer.Option("--no-live", help="Plain progress lines instead of the live view.")] = False
    metrics: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Serve Prometheus metrics of the run there, like 127.0.0.1:9464.")
    ] = ""
    otlp: Annotated[
        str, typer.Option(metavar="URL", help="Send metrics of the run there, like http://127.0.0.1:4318/v1/metrics.")
    ] = ""

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Host and port of `--metrics`; `UsageError` when it is no address."""
        return address_of("--metrics", self.metrics) if self.metrics else None


def given(values: dict[str, Any]) -> dict[str, Any]:
    """The values of the options that were given."""
    return {key: value for key, value in values.items() if value is not None}


def request_of(options: LoadOptions, url: UrlOptions, machines: MachineOptions) -> LoadRequest:
    """What the user asked for, before anything is looked up."""
    from dbz.load.planning.plan import LoadRequest

    return LoadRequest(
        subject=options.subject,
        target=options.target,
        embedded=options.embedded,
        overrides=options.overrides(),
        allowed_targets=options.allow_target or (),
        method=url.method,
        headers=url.header or (),
        body=url.data,
        opens_pages=True,
        master_host=machines.master_host,
        master_port=machines.master_port if machines.master else 0,
    )
