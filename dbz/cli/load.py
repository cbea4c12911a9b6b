"""`dbz load`: run a load, judge it, report it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.embedded import start_embedded
from dbz.cli.interrupts import Interrupts
from dbz.cli.repeats import carry_out_repeatedly
from dbz.cli.values import address_option, share_option
from dbz.errors import DbzError, InterruptedRunError, InvalidRunError

if TYPE_CHECKING:
    from dbz.load.plan import LoadPlan
    from dbz.runs.folder import RunFolder
    from dbz.runs.reading import Record
    from dbz.runs.schema import Run

Text = str | None
DEFAULT_REPORTS = Path("reports")


def load(
    subject: Annotated[
        str, typer.Argument(metavar="PROFILE | URL | FILE.py", help="What to run.", show_default=True)
    ] = "mixed",
    target: Annotated[str, typer.Option(help="Base URL to load; without it dbz starts a backend itself.")] = "",
    users: Annotated[int | None, typer.Option(help="Virtual users held at the same time.")] = None,
    phase: Annotated[
        str, typer.Option(help="Users, connections and requests of a phase of the scaling plan, like phase_2.")
    ] = "",
    phases: Annotated[str, typer.Option(metavar="FILE", help="The scaling plan; see configs/phases.yaml.")] = "default",
    rate: Annotated[Text, typer.Option(help="Open model: tasks begin at this rate, like 200/s or 5000/min.")] = None,
    duration: Annotated[Text, typer.Option(help="Length of the judged part, like 60s or 5m.")] = None,
    warmup: Annotated[Text, typer.Option(help="Time before it that is not judged, like 10s.")] = None,
    budgets: Annotated[Text, typer.Option(help="Budgets to judge by: a bundled name or a YAML file.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Load generator processes [default: what fits the cores].")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same users, texts and pauses.")] = None,
    out: Annotated[Path, typer.Option(help="Folder that gets a folder for this run.")] = DEFAULT_REPORTS,
    baseline: Annotated[
        str, typer.Option(metavar="RUN|latest|DIR", help="Fail when slower than this run, or than a folder's runs.")
    ] = "",
    threshold: Annotated[
        str, typer.Option(metavar="SHARE", help="With --baseline: the smallest slowdown that counts.")
    ] = "5%",
    busy: Annotated[
        str,
        typer.Option(
            metavar="SHARE",
            help="With --baseline: what else may use more of this machine than in the baseline before nothing is "
            "called slower; 100% to ignore it.",
        ),
    ] = "10%",
    repeat: Annotated[
        int, typer.Option(help="Runs, one after the other; with --baseline they are compared together.", min=1, max=100)
    ] = 1,
    force: Annotated[bool, typer.Option("--force", help="With --baseline: compare what is not comparable.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print run.json instead of the tables.")] = False,
    no_live: Annotated[bool, typer.Option("--no-live", help="Plain progress lines instead of the live view.")] = False,
    allow_target: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="A host beside this machine that may be loaded.")
    ] = None,
    metrics: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Serve Prometheus metrics of the run there, like 127.0.0.1:9464.")
    ] = "",
    otlp: Annotated[
        str, typer.Option(metavar="URL", help="Send metrics of the run there, like http://127.0.0.1:4318/v1/metrics.")
    ] = "",
    method: Annotated[str, typer.Option("-X", "--method", help="With a URL: the HTTP method.")] = "GET",
    header: Annotated[list[str] | None, typer.Option("-H", "--header", help="With a URL: a header to send.")] = None,
    data: Annotated[str, typer.Option("-d", "--data", help="With a URL: the body to send.")] = "",
    master: Annotated[
        bool, typer.Option("--master", help="Let --workers workers join instead of starting them.")
    ] = False,
    master_host: Annotated[
        str, typer.Option(help="Where the master listens, or where a worker finds it.")
    ] = "127.0.0.1",
    master_port: Annotated[int, typer.Option(help="The master's port.", min=1, max=65535)] = 5557,
) -> None:
    """Run a load, judge it by budgets, and write its report.

    \b
    PROFILE is a bundled profile (smoke, api, chat, score, mixed) or a YAML
    file. With a URL, users repeat one request. With FILE.py, the users of
    any Locust file run unmodified.

    \b
    Examples:
      dbz load                                    520 users of all kinds, for a minute
      dbz load smoke --json                       a few seconds, result as JSON
      dbz load chat --users 400 --duration 5m     a profile with other numbers
      dbz load mixed --phase phase_2              what a phase of the plan must carry
      dbz load api --target http://127.0.0.1:8480 your own server
      dbz load http://127.0.0.1:8480/api/posts --rate 200/s --duration 30s
      dbz load locustfile.py --budgets ci.yaml    any Locust file, your own budgets
      dbz load api --baseline latest              red when slower than the last run
      dbz load api --repeat 5 --baseline main     five runs against a folder of runs
      dbz load mixed --master --workers 2         the load comes from two workers,
      dbz load worker --master-host HOST          started like this on any machine

    \b
    Exit codes: 0 all budgets hold, 1 one is broken, 2 wrong usage, 3 target
    out of reach, 4 measurement not valid, 130 interrupted (what was measured
    is saved and judged).
    """
    if subject == "worker":
        _work(master_host, master_port, allow_target or [])
        return
    from dbz.config.phases import load_phases
    from dbz.load.phases import plan_for_phase
    from dbz.load.plan import LoadRequest, plan_load

    given = {
        "users": users,
        "rate": rate,
        "duration": duration,
        "warmup": warmup,
        "budgets": budgets,
        "workers": workers,
        "seed": seed,
    }
    request = LoadRequest(
        subject=subject,
        target=target,
        overrides={key: value for key, value in given.items() if value is not None},
        allowed_targets=allow_target or (),
        method=method,
        headers=header or (),
        body=data,
        master_host=master_host,
        master_port=master_port if master else 0,
    )
    address = address_option("--metrics", metrics) if metrics else None
    plan = plan_load(request)
    if phase:
        plan = plan_for_phase(plan, load_phases(phases).phase(phase), request.overrides)
    if baseline:
        from dbz.load.plan import plan_against
        from dbz.measure.compare.terms import ComparisonTerms

        terms = ComparisonTerms(threshold=share_option("--threshold", threshold), busy=share_option("--busy", busy))
        plan = plan_against(plan, baseline, out, terms, force=force, repeat=repeat)
    with Interrupts("before anything was measured; nothing is left running").watch() as interrupts:

        def carry_out(plan: LoadPlan, last: bool) -> tuple[Run, RunFolder]:
            shown = Shown(no_live=no_live, as_json=as_json, quiet=not last, metrics=address, otlp=otlp)
            return _carry_out(plan, out, interrupts, shown)

        code = carry_out_repeatedly(plan, repeat, carry_out)
    raise typer.Exit(code)


def _work(host: str, port: int, allowed_targets: list[str]) -> None:
    """Work for a master until its run ends."""
    from tempfile import TemporaryDirectory

    from dbz.load.worker import join_master

    watching = Interrupts("before the run began; nothing is left running").watch()
    with watching as interrupts, TemporaryDirectory(prefix="dbz-worker-") as folder:
        interrupts.defer()
        typer.echo(f"Working for the master at {host}:{port} …", err=True)
        lost = join_master(host, port, Path(folder), allowed_targets, lambda: interrupts.requested)
        if interrupts.requested:
            raise InterruptedRunError("interrupted; the master counts this worker as lost")
    if lost:
        raise InvalidRunError("this worker ended before its record was complete")
    typer.echo("The run has ended; its report is the master's.", err=True)


@dataclass(frozen=True)
class Shown:
    """What is shown of a run; a `quiet` one prints nothing, `metrics` and `otlp` say where its metrics go."""

    no_live: bool
    as_json: bool
    quiet: bool
    metrics: tuple[str, int] | None
    otlp: str


def _carry_out(plan: LoadPlan, out: Path, interrupts: Interrupts, shown: Shown) -> tuple[Run, RunFolder]:
    from dbz.report import print_run, tell_github, write_reports
    from dbz.runs.folder import create_run_folder, new_run_id

    folder = create_run_folder(out, new_run_id(plan.profile.name, datetime.now(UTC)))
    try:
        run = _measure(plan, folder, interrupts, shown)
    except DbzError:
        # The server may have died half-way: what was measured until then is worth a report all the same.
        if folder.run_json.exists():
            write_reports(folder)
        raise
    write_reports(folder)
    tell_github(run, (folder.path / "summary.md").read_text(encoding="utf-8"), os.environ, sys.stderr)
    if shown.as_json and not shown.quiet:
        typer.echo(run.to_json())
    elif not shown.quiet:
        print_run(folder)
    return run, folder


def _measure(plan: LoadPlan, folder: RunFolder, interrupts: Interrupts, shown: Shown) -> Run:
    from dbz.load.allowed_hosts import reach
    from dbz.load.run import Surroundings, run_load
    from dbz.report import open_metrics, open_otlp, open_view

    check: Callable[[], None] = lambda: None  # noqa: E731 a target of the user's own is watched by its health probe
    with ExitStack() as resources:
        if plan.embedded:
            stack = resources.enter_context(start_embedded(plan.profile, folder.logs))
            plan, check = replace(plan, target=stack.url), stack.check
        reach(plan.target)
        interrupts.defer()
        show = [open_view(no_live=shown.no_live, title=plan.profile.name, budgets=plan.budgets)]
        if shown.metrics:
            show.append(open_metrics(*shown.metrics, plan.budgets))
        if shown.otlp:
            show.append(open_otlp(shown.otlp, plan.budgets))
        views = [resources.enter_context(view) for view in show]

        def update(record: Record, elapsed_s: float, planned_s: float) -> None:
            for view in views:
                view.update(record, elapsed_s, planned_s)

        return run_load(plan, folder, Surroundings(update, check, lambda: interrupts.requested))
