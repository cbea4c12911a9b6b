"""`dbz report`: look at runs again, and make their reports again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Look at runs again, and make their reports again.")

Name = Annotated[
    str, typer.Argument(metavar="[RUN]", help="A run's folder, its id, the beginning of its id, or 'latest'.")
]
Reports = Annotated[Path, typer.Option(metavar="DIR", help="The folder that holds the runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
DEFAULT_REPORTS = Path("reports")


@app.command()
def show(run: Name = "latest", reports: Reports = DEFAULT_REPORTS, as_json: AsJson = False) -> None:
    """Print the verdict, the budgets and the figures of a run.

    \b
    Examples:
      dbz report show                       the newest run
      dbz report show 20261123              the run whose id begins so
      dbz report show --json | jq .verdict
    """
    from dbz.report import open_run, print_run
    from dbz.runs.folder import find_run

    folder = find_run(reports, run)
    if as_json:
        typer.echo(open_run(folder)[0].to_json())
    else:
        print_run(folder)


@app.command()
def html(
    run: Name = "latest",
    reports: Reports = DEFAULT_REPORTS,
    show_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Make the HTML page of a run again, beside its other reports, and print where it is.

    \b
    Examples:
      dbz report html                       the newest run
      dbz report html reports/RUN --open
    """
    from dbz.report import write_reports
    from dbz.runs.folder import find_run

    page, *_ = write_reports(find_run(reports, run))
    typer.echo(page)
    if show_it:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())


@app.command("list")
def list_(reports: Reports = DEFAULT_REPORTS, as_json: AsJson = False) -> None:
    """List all runs, oldest first.

    \b
    Examples:
      dbz report list
      dbz report list --reports nightly --json
    """
    from dbz.errors import UsageError
    from dbz.report import list_json, print_runs
    from dbz.runs.folder import list_runs

    runs = []
    for folder in list_runs(reports):
        try:
            runs.append((folder, folder.load()))
        except UsageError as damaged:
            typer.echo(f"skipped: {damaged.message}", err=True)
    if as_json:
        typer.echo(list_json(runs))
    elif runs:
        print_runs([run for _, run in runs])
    else:
        typer.echo(f"There are no runs in {reports}; dbz load makes one.", err=True)
