"""`dbz report`: look at runs again, and make their reports again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dbz.runs.folder import RunFolder
    from dbz.runs.schema import Run

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


@app.command()
def compare(
    base: Annotated[str, typer.Argument(metavar="BASE", help="A run, 'latest', or a folder of repeated runs.")],
    new: Annotated[list[str], typer.Argument(metavar="NEW…", help="The same; several are repeated runs of one code.")],
    reports: Reports = DEFAULT_REPORTS,
    threshold: Annotated[str, typer.Option(metavar="SHARE", help="The smallest change that counts.")] = "5%",
    noise: Annotated[
        str, typer.Option(metavar="SHARE", help="What single runs of equal code may differ by; repeated runs show it.")
    ] = "15%",
    busy: Annotated[
        str,
        typer.Option(
            metavar="SHARE",
            help="How much more of the machine others may have used on one side before that side is not called "
            "slower; 100% to ignore it.",
        ),
    ] = "10%",
    force: Annotated[bool, typer.Option("--force", help="Compare runs that are not comparable.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare runs with runs, operation by operation; exit 1 when something became worse.

    \b
    With several runs a side, the noise between runs is measured and the test
    is one of runs. With one run a side it is assumed.

    \b
    Examples:
      dbz report compare 20261123T06 latest
      dbz report compare reports/main reports/branch
      dbz report compare reports/main RUN1 RUN2 RUN3 --threshold 10% --json
    """
    from dbz.cli.values import share_option
    from dbz.errors import ExitCode
    from dbz.measure.compare.terms import ComparisonTerms
    from dbz.report import print_comparison
    from dbz.runs.compare.comparable import refuse_incomparable
    from dbz.runs.compare.findings import compare_sides
    from dbz.runs.compare.sides import Side, find_runs

    terms = ComparisonTerms(
        threshold=share_option("--threshold", threshold),
        noise=share_option("--noise", noise),
        busy=share_option("--busy", busy),
    )
    before, after = Side(find_runs(reports, base)), Side([run for name in new for run in find_runs(reports, name)])
    forced = refuse_incomparable(before.runs, after.runs, force=force)
    comparison = compare_sides(before, after, terms, forced)
    if as_json:
        typer.echo(comparison.to_json())
    else:
        print_comparison(comparison)
    raise typer.Exit(ExitCode.BROKEN if comparison.worse else ExitCode.OK)


@app.command()
def trend(
    profile: Annotated[str, typer.Argument(metavar="[PROFILE]", help="Whose runs; default: the newest run's.")] = "",
    reports: Reports = DEFAULT_REPORTS,
    as_json: AsJson = False,
) -> None:
    """Show where the figures of a load changed over its runs, and which run was the first of each new level.

    \b
    Examples:
      dbz report trend                       the load of the newest run
      dbz report trend api --reports nightly --json
    """
    from dbz.report import print_trend
    from dbz.runs.compare.trend import trend_of
    from dbz.runs.folder import list_runs

    found = trend_of([run for _, run in _readable(list_runs(reports))], profile)
    if as_json:
        typer.echo(found.to_json())
    else:
        print_trend(found)


@app.command()
def schema(name: Annotated[str, typer.Argument(metavar="run|comparison|trend|capacity")] = "run") -> None:
    """Print the JSON Schema of what dbz writes.

    \b
    Examples:
      dbz report schema > run.schema.json
      dbz report schema comparison
    """
    from dbz.report import schema_text

    typer.echo(schema_text(name), nl=False)


@app.command("list")
def list_(reports: Reports = DEFAULT_REPORTS, as_json: AsJson = False) -> None:
    """List all runs, oldest first.

    \b
    Examples:
      dbz report list
      dbz report list --reports nightly --json
    """
    from dbz.report import list_json, print_runs
    from dbz.runs.folder import list_runs

    runs = _readable(list_runs(reports))
    if as_json:
        typer.echo(list_json(runs))
    elif runs:
        print_runs([run for _, run in runs])
    else:
        typer.echo(f"There are no runs in {reports}; dbz load makes one.", err=True)


def _readable(folders: list[RunFolder]) -> list[tuple[RunFolder, Run]]:
    """The runs that can be read; the others are named on standard error."""
    from dbz.errors import UsageError

    runs = []
    for folder in folders:
        try:
            runs.append((folder, folder.load()))
        except UsageError as damaged:
            typer.echo(f"skipped: {damaged.message}", err=True)
    return runs
