"""`dbz scale size`: how many tasks each phase of the plan needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.options import DEFAULT_REPORTS, AsJson, PhasesFile, Reports, share_of
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.scaling.size.sizing import PhaseSize


def size(
    source: Annotated[
        str, typer.Option("--from", metavar="FILE|RUN", help="A capacity.json or a run [default: the newest capacity].")
    ] = "",
    phases: PhasesFile = "default",
    headroom: Annotated[str, typer.Option(help="How much more than its targets a phase is to carry.")] = "30%",
    measured_tasks: Annotated[
        int | None, typer.Option(min=1, help="Server processes that were measured, where the record does not say.")
    ] = None,
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

    \b
    Examples:
      dbz scale size                              by the newest dbz capacity
      dbz scale size --from reports/ID --headroom 50%
      dbz scale size --from latest --json         by a run that held its budgets
      dbz scale size --phases phases.yaml --write
    """
    from dbz.config.phases.file import load_phases
    from dbz.scaling.size.measured import read_measured
    from dbz.scaling.size.sizing import size_phases

    plan, share = load_phases(phases), share_of("--headroom", headroom)
    measured = read_measured(source or newest(reports), reports, measured_tasks)
    if not measured.per_task():
        raise UsageError(f"{measured.source} measured neither users, connections nor requests", code="S028")
    sizes = size_phases(plan.phases, measured, share, plan.scaling.connections_per_server)
    if as_json:
        from dbz.report.documents import size_json

        typer.echo(size_json(measured, sizes, share))
    else:
        from dbz.report.terminal.scale.size import print_sizes

        print_sizes(measured, sizes, share)
    if write:
        _write(phases, sizes)


def _write(phases: str, sizes: list[PhaseSize]) -> None:
    from dbz.config.phases.file import DEFAULT
    from dbz.scaling.size.writing import counts_to_write, write_counts

    if phases == DEFAULT:
        raise UsageError(
            "--write needs a plan of your own", hint="--phases FILE; copy configs/phases.yaml", code="E004"
        )
    counts = counts_to_write(sizes)
    write_counts(Path(phases), counts)
    for name, servers in counts.items():
        number = servers.min if servers.fixed else f"{servers.min} to {servers.max}"
        typer.echo(f"{phases}: {name} has {number} API servers now.", err=True)
    for size in sizes:
        if size.not_measured and size.phase not in counts:
            typer.echo(f"{phases}: {size.phase} stays as it is: {size.advice}.", err=True)


def newest(reports: Path) -> str:
    """The newest capacity of a reports folder; `UsageError` when there is none."""
    from dbz.scaling.size.measured import newest_capacity

    found = newest_capacity(reports)
    if found is None:
        raise UsageError(
            f"there is no capacity in {reports}", hint="dbz capacity measures one; or name it with --from", code="S028"
        )
    return str(found)
