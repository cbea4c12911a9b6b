"""`dbz scale size`: how many tasks each phase of the plan needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.options import DEFAULT_REPORTS, AsJson, PhasesFile, Reports, share_of
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.config.phases.plan import Phases
    from dbz.scaling.size.sizing import MeasuredTask
    from dbz.scaling.size.writing import Counts

MOST_TASKS = 1000
"""Of a service."""


def size(
    source: Annotated[
        str, typer.Option("--from", metavar="FILE|RUN", help="A capacity.json or a run [default: the newest capacity].")
    ] = "",
    phases: PhasesFile = "default",
    headroom: Annotated[str, typer.Option(help="How much more than its targets a phase is to carry.")] = "30%",
    measured_tasks: Annotated[
        str,
        typer.Option(
            metavar="N|SERVICE=N,…", help="Server processes that were measured, where the record does not say."
        ),
    ] = "",
    write: Annotated[
        bool, typer.Option("--write", help="Put the right numbers into the file of --phases; comments stay.")
    ] = False,
    reports: Reports = DEFAULT_REPORTS,
    as_json: AsJson = False,
) -> None:
    """Say how many tasks each phase needs, by what was measured.

    \b
    A task carries what dbz capacity measured, divided by the server
    processes that it measured. The range is that of the measurement: the
    highest load that held, and the lowest that did not. It assumes that
    tasks add up, so measure again with the store and cache of the phase.
    Of services apart each is sized: no task of them is to be busier than
    the busiest one was while all budgets held.

    \b
    Examples:
      dbz scale size                              by the newest dbz capacity
      dbz scale size --from reports/ID --headroom 50%
      dbz scale size --from latest --json         by a run that held its budgets
      dbz scale size --phases phases.yaml --write
      dbz scale size --from latest --measured-tasks chat=2,game=1
    """
    from dbz.config.phases.file import load_phases
    from dbz.scaling.size.measured import read_measured
    from dbz.scaling.size.sizing import SizeVerdict, size_phases

    plan, share = load_phases(phases), share_of("--headroom", headroom)
    measured = read_measured(source or newest(reports), reports, _given(measured_tasks))
    if not measured.per_task():
        raise UsageError(f"{measured.source} measured neither users, connections nor requests", code="S028")
    if measured.services:
        _size_services(phases, plan, measured, share, as_json=as_json, write=write)
        return
    sizes = size_phases(plan.phases, measured, share, plan.scaling.connections_per_server)
    if as_json:
        from dbz.report.documents import size_json

        typer.echo(size_json(measured, sizes, share))
    else:
        from dbz.report.terminal.scale.size import print_sizes

        print_sizes(measured, sizes, share)
    if write:
        from dbz.scaling.size.writing import counts_to_write

        _write(phases, counts_to_write(plan, sizes), plan.scaling.main)
        for size in sizes:
            if size.verdict is SizeVerdict.NOT_MEASURED:
                typer.echo(f"{phases}: {size.phase} stays as it is: {size.advice}.", err=True)


def _size_services(
    phases: str, plan: Phases, measured: MeasuredTask, share: float, *, as_json: bool, write: bool
) -> None:
    from dbz.scaling.size.apart import size_services
    from dbz.scaling.size.sizing import SizeVerdict
    from dbz.scaling.size.writing import services_to_write

    sizes = size_services(plan, measured, share)
    if as_json:
        from dbz.report.documents import service_sizes_json

        typer.echo(service_sizes_json(measured, sizes, share))
    else:
        from dbz.report.terminal.scale.size import print_service_sizes

        print_service_sizes(measured, sizes, share)
    if write:
        _write(phases, services_to_write(sizes), plan.scaling.main)
        for size in sizes:
            if size.verdict is SizeVerdict.NOT_MEASURED:
                typer.echo(f"{phases}: {size.service} of {size.phase} stays as it is: {size.advice}.", err=True)


def _write(phases: str, counts: Counts, main: str) -> None:
    from dbz.config.phases.file import DEFAULT
    from dbz.scaling.size.writing import write_counts

    if phases == DEFAULT:
        raise UsageError(
            "--write needs a plan of your own", hint="--phases FILE; copy configs/phases.yaml", code="E004"
        )
    write_counts(Path(phases), counts)
    for name, of_phase in counts.items():
        for service, servers in of_phase.items():
            number = f"{servers.min}" if servers.fixed else f"{servers.min} to {servers.max}"
            many = "s" if servers.max > 1 else ""
            what = "API servers" if service == main else f"task{many} of {service}"
            typer.echo(f"{phases}: {name} has {number} {what} now.", err=True)


def _given(text: str) -> int | dict[str, int] | None:
    """`3`, or `chat=2,game=1`; None for nothing."""
    counts: dict[str, int] = {}
    for part in text.split(",") if text else ():
        name, _, number = (piece.strip() for piece in part.rpartition("="))
        if not number.isdecimal() or not 1 <= int(number) <= MOST_TASKS or name in counts or (not name and "," in text):
            raise UsageError(f"--measured-tasks: '{text}' is neither a number of tasks nor chat=2,game=1", code="E002")
        counts[name] = int(number)
    return counts.get("") or counts or None


def newest(reports: Path) -> str:
    """The newest capacity of a reports folder; `UsageError` when there is none."""
    from dbz.scaling.size.measured import newest_capacity

    found = newest_capacity(reports)
    if found is None:
        raise UsageError(
            f"there is no capacity in {reports}", hint="dbz capacity measures one; or name it with --from", code="S028"
        )
    return str(found)
