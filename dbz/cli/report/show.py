"""`dbz report show`."""

from __future__ import annotations

import typer

from dbz.cli.options import DEFAULT_REPORTS, AsJson, Reports
from dbz.cli.report.runs import RunName


def show(run: RunName = "latest", reports: Reports = DEFAULT_REPORTS, as_json: AsJson = False) -> None:
    """Print the verdict, the budgets and the figures of a run.

    \b
    Examples:
      dbz report show                       the newest run
      dbz report show 20261123              the run whose id begins so
      dbz report show --json | jq .verdict
    """
    from dbz.report import open_conclusion, print_run
    from dbz.runs.storage.folder import find_run

    folder = find_run(reports, run)
    if as_json:
        typer.echo(open_conclusion(folder).to_json())
    else:
        print_run(folder)
