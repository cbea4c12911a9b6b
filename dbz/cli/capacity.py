"""`dbz capacity`: the highest load at which all budgets hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.embedded import start_stack_of
from dbz.cli.interrupts import Interrupts
from dbz.cli.load_options import given
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
    Tags,
    Workers,
    duration_of,
    tags_of,
)
from dbz.errors import DbzError

if TYPE_CHECKING:
    from dbz.load.capacity.campaign import CapacityPlan, Ground
    from dbz.load.capacity.search import Next
    from dbz.load.plan import LoadPlan
    from dbz.runs.capacity import Capacity, CapacityStep
    from dbz.runs.folder import RunFolder


def capacity(
    subject: Annotated[
        str, typer.Argument(metavar="PROFILE | URL | FILE.py", help="The load to scale.", show_default=True)
    ] = "mixed",
    target: LoadTarget = "",
    embedded: Embedded = False,
    phases: PhasesFile = "default",
    budgets: Budgets = None,
    start: Annotated[
        int | None, typer.Option(min=1, help="First load to try [default: an eighth of the profile's].")
    ] = None,
    highest: Annotated[
        int | None, typer.Option("--max", min=1, help="Highest load to try [default: 5000 users, or 20000/s].")
    ] = None,
    step_duration: Annotated[str, typer.Option(help="Judged part of one run, like 20s.")] = "20s",
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
    Doubles the load until a budget breaks, then narrows it down to 10 %.
    Each step is a run of its own, with fresh users, against a fresh embedded
    stack, or your own server, which gets a rest after each load that it did
    not hold. Both ends of the last bracket are run again, twice as long: two
    runs must agree about each. What is scaled is the users of the profile,
    in its mix, or the rate when it has one.

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
    from dbz.config.phases import load_phases
    from dbz.load.capacity.campaign import plan_capacity
    from dbz.load.plan import LoadRequest, plan_load
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
        },
        allowed_targets=allow_target or (),
    )
    step_s = duration_of("--step-duration", step_duration)
    plan = plan_capacity(plan_load(request), load_phases(phases), start, highest, step_s)
    with Interrupts("before the first load; nothing was measured, nothing is left running").watch() as interrupts:
        result = _carry_out(plan, out, interrupts, as_json=as_json)
    raise typer.Exit(EXIT_CODES[result.outcome])


def _carry_out(plan: CapacityPlan, out: Path, interrupts: Interrupts, *, as_json: bool) -> Capacity:
    from dbz.report.html.capacity_page import write_capacity_page
    from dbz.report.terminal.capacity import print_capacity
    from dbz.runs.capacity import CAPACITY_FILE, load_capacity
    from dbz.runs.folder import create_run_folder, new_run_id

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
    else:
        print_capacity(found, page)
    return found


def _search(plan: CapacityPlan, folder: Path, interrupts: Interrupts) -> Capacity:
    from dbz.load.allowed_hosts import reach
    from dbz.load.capacity.campaign import Caller, Ground, find_capacity

    @contextmanager
    def fresh_stack(one: LoadPlan) -> Iterator[Ground]:
        with start_stack_of(one.profile, folder / "logs") as stack:
            yield Ground(stack.url, stack.check)

    if not plan.plan.embedded:
        reach(plan.plan.target)
    interrupts.defer()
    # A target of the user's own is watched by its health probe.
    prepare = fresh_stack if plan.plan.embedded else lambda one: nullcontext(Ground(one.target, lambda: None))
    return find_capacity(plan, folder, Caller(prepare, *_progress(plan), lambda: interrupts.requested))


def _progress(plan: CapacityPlan) -> tuple[Callable[[Next, LoadPlan], None], Callable[[CapacityStep, RunFolder], None]]:
    """One line on standard error when a step begins, and one when it has ended."""
    from dbz.report import write_reports
    from dbz.report.words.capacity import step_text
    from dbz.units import format_duration

    def begins(step: Next, one: LoadPlan) -> None:
        again = "  again, longer" if step.earlier else ""
        length = format_duration(one.profile.duration)
        typer.echo(f"{plan.load_of(step.load):>16}  {length}{again} …", err=True)

    def ended(step: CapacityStep, folder: RunFolder) -> None:
        write_reports(folder)
        typer.echo(f"{'':>16}  {step_text(step)}", err=True)

    return begins, ended
