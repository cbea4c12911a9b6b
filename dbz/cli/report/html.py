"""`dbz report html`."""

from __future__ import annotations

from typing import Annotated

import typer

from dbz.cli.options import DEFAULT_REPORTS, Reports
from dbz.cli.report.runs import RunName


def html(
    run: RunName = "latest",
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
    from dbz.runs.storage.folder import find_run

    page, *_ = write_reports(find_run(reports, run))
    typer.echo(page)
    if show_it:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
