"""`dbz capacity`: the highest load at which all budgets hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.interrupts import Interrupts
from dbz.cli.load.embedded import start_stack_of
from dbz.cli.load.options import given
from dbz.cli.options import (
    DEFAULT_REPORTS,
    AllowTarget,
    Budgets,
    Embedded,
    ExcludeTags,
    Health,
    LoadTarget,
    MetricsUrl,
    PhasesFile,
    Seed,
    ServicesPlan,
    Tags,
    Workers,
    duration_of,
    tags_of,
)
from dbz.cli.verbosity import is_quiet
from dbz.errors import DbzError, UsageError

if TYPE_CHECKING:
    from dbz.load.capacity.hooks import Ground, SearchHooks
    from dbz.load.capacity.plan import CapacityPlan
    from dbz.load.capacity.search import Next
    from dbz.load.planning.plan import LoadPlan
    from dbz.runs.capacity import Capacity, CapacityStep


def capacity(
    subject: Annotated[
        str, typer.Argument(metavar="PROFILE | URL | FILE.py", help="The load to scale.", show_default=True)
    ] = "mixed",
    target: LoadTarget = "",
    embedded: Embedded = False,
    services: ServicesPlan = "",
    phases: PhasesFile = "default",
    budgets: Budgets = None,
    start: Annotated[
        int | None, typer.Option(min=1, help="First load to try [default: an eighth of the profile's].")
    ] = None,
    highest: Annotated[
        int | None, typer.Option("--max", min=1, help="Highest load to try [default: 5000 users, or 20000/s].")
    ] = None,
    step_duration: Annotated[str, typer.Option(help="How long a load is judged, like 15s.")] = "15s",
    within: Annotated[
        str | None,
        typer.Option(help="End after so long with what is known [default: 5m, or 20 steps if that is more]."),
    ] = None,
    rate: Annotated[str | None, typer.Option(help="Scale the rate of arrivals, not the users; like 100/s.")] = None,
    workers: Workers = None,
    seed: Seed = None,
    tags: Tags = None,
    exclude_tags: ExcludeTags = None,
    out: Annotated[Path, typer.Option(help="Folder that gets a folder for this search.")] = DEFAULT_REPORTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print capacity.json instead of the tables.")] = False,
    allow_target: AllowTarget = None,
    health: Health = None,
    metrics_url: MetricsUrl = None,
) -> None:
    """Find the highest load at which all budgets hold.

    \b
    Doubles the load until a budget breaks, then looks where that is, until
    all looks together say it to within 10 %, or --within is over: each budget
    has a limit of its own, and a look says as much of it as it has samples.
    The load that is named was seen to hold. What is scaled is the users of
    the profile, in its mix, or the rate when it has one. Users that are held
    are kept and added to, in one run; after a load that is not held the
    server first shows that it has recovered. Each rate is a run of its own,
    on a fresh embedded stack or your own server, which gets a rest after
    each that it did not hold; a growing rate goes before, to see where it
    falls behind.

    \b
    Examples:
      dbz capacity                                  mixed users, embedded stack
      dbz capacity api --start 100 --max 2000       the HTTP API alone
      dbz capacity --target http://127.0.0.1:8480   your own server
      dbz capacity http://127.0.0.1:8480/api/posts  requests/s that a URL takes
      dbz capacity api --rate 50/s --budgets ci.yaml
      dbz capacity --json | jq .capacity

    \b
    Exit codes: 0 found, 1 no load holds, 2 wrong usage, 3 target out of
    reach, 4 nothing could be decided (the generator was the limit), 130
    interrupted (what is known is reported).
    """
    from dbz.config.phases.file import load_phases
    from dbz.load.capacity.plan import plan_capacity
    from dbz.load.planning.plan import LoadRequest, plan_load
    from dbz.runs.capacity import EXIT_CODES

    request = LoadRequest(
        subject=subject,
        target=target,
        embedded=embedded,
        overrides={
            **given(
                {
                    "budgets": budgets,
                    "rate": rate,
                    "workers": workers,
                    "seed": seed,
                    "tags": tags_of(tags),
                    "exclude_tags": tags_of(exclude_tags),
                    "health": health,
                }
            ),
            **({"metrics": {"url": metrics_url}} if metrics_url else {}),
            **({"stack": {"services": services}} if services else {}),
        },
        allowed_targets=allow_target or (),
    )
    step_s = duration_of("--step-duration", step_duration)
    loaded = plan_load(request)
    if loaded.profile.stack.faults:
        raise UsageError("faults are for one load, not for a search: leave 'faults' out of the profile", code="E003")
    within_s = None if within is None else duration_of("--within", within)
    plan = plan_capacity(loaded, load_phases(phases), start, highest, step_s, within_s)
    with Interrupts("before the first load; nothing was measured, nothing is left running").watch() as interrupts:
        result = _carry_out(plan, out, interrupts, as_json=as_json)
    raise typer.Exit(EXIT_CODES[result.outcome])


def _carry_out(plan: CapacityPlan, out: Path, interrupts: Interrupts, *, as_json: bool) -> Capacity:
    from dbz.report.html.capacity_page import write_capacity_page
    from dbz.report.terminal.capacity import print_capacity, print_capacity_verdict
    from dbz.runs.capacity import CAPACITY_FILE, load_capacity
    from dbz.runs.storage.folder import create_run_folder, new_run_id

    folder = create_run_folder(out, new_run_id(f"capacity-{plan.plan.profile.name}", datetime.now(UTC)))
    try:
        found = _search(plan, folder.path, interrupts)
    except DbzError:
        # What was decided until something ended is worth a report all the same.
        if (folder.path / CAPACITY_FILE).exists() and (known := load_capacity(folder.path)).steps:
            print_capacity(known, write_capacity_page(folder.path))
        raise
    page = write_capacity_page(folder.path)
    if as_json:
        typer.echo(found.to_json())
    elif is_quiet():
        print_capacity_verdict(found)
    else:
        print_capacity(found, page)
    return found


def _search(plan: CapacityPlan, folder: Path, interrupts: Interrupts) -> Capacity:
    from dbz.load.capacity.campaign import find_capacity
    from dbz.load.target.allowed_hosts import reach

    if not plan.plan.embedded:
        reach(plan.plan.target)
    interrupts.defer()
    return find_capacity(plan, folder, _hooks(plan, folder / "logs", interrupts))


def _hooks(plan: CapacityPlan, logs: Path, interrupts: Interrupts) -> SearchHooks:
    """What is loaded, and one line on standard error when a step begins, and one when it has ended."""
    from dbz.load.capacity.hooks import Ground, SearchHooks
    from dbz.report import write_reports
    from dbz.report.words.capacity import step_text
    from dbz.units import format_duration

    @contextmanager
    def fresh_stack(load: LoadPlan) -> Iterator[Ground]:
        with start_stack_of(load.profile, logs) as stack:
            stack.wait_until_warm(lambda: interrupts.requested)
            yield Ground(stack.url, stack.check)

    def own_target(load: LoadPlan) -> AbstractContextManager[Ground]:
        return nullcontext(Ground(load.target, lambda: None))  # it is watched by its health probe

    def begins(step: Next, judged_s: float) -> None:
        again = "  again" if step.earlier else ""
        typer.echo(f"{plan.load_of(step.load):>16}  {format_duration(judged_s)}{again} …", err=True)

    def ramping(first: int, highest: int) -> None:
        typer.echo(f"{'':>16}  from {plan.load_of(first)} up to {plan.load_of(highest)} …", err=True)

    def ramped(knee_per_s: float | None) -> None:
        fell = "keeps up to the end" if knee_per_s is None else f"falls behind at about {knee_per_s:,.0f} arrivals/s"
        typer.echo(f"{'':>16}  {fell}", err=True)

    def recovering(load: int) -> None:
        typer.echo(f"{'':>16}  back to {plan.load_of(load)}, until they are held again …", err=True)

    def ended(step: CapacityStep) -> None:
        typer.echo(f"{'':>16}  {step_text(step)}", err=True)

    return SearchHooks(
        prepare=fresh_stack if plan.plan.embedded else own_target,
        begins=begins,
        ramping=ramping,
        ramped=ramped,
        recovering=recovering,
        ended=ended,
        run_ended=write_reports,
        interrupted=lambda: interrupts.requested,
    )
