"""`dbz report list`."""

from __future__ import annotations

import typer

from dbz.cli.options import DEFAULT_REPORTS, AsJson, Reports
from dbz.cli.report.runs import readable


def list_(reports: Reports = DEFAULT_REPORTS, as_json: AsJson = False) -> None:
    """List all runs, oldest first.

    \b
    Examples:
      dbz report list
      dbz report list --reports nightly --json
    """
    from dbz.report import list_json, print_runs
    from dbz.runs.storage.folder import list_runs

    runs = readable(list_runs(reports))
    if as_json:
        typer.echo(list_json(runs))
    elif runs:
        print_runs([run for _, run in runs])
    else:
        typer.echo(f"There are no runs in {reports}; dbz load makes one.", err=True)
