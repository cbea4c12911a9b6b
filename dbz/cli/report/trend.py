"""`dbz report trend`."""

from __future__ import annotations

from typing import Annotated

import typer

from dbz.cli.options import DEFAULT_REPORTS, AsJson, Reports
from dbz.cli.report.runs import readable


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
    from dbz.runs.storage.folder import list_runs

    found = trend_of([run for _, run in readable(list_runs(reports))], profile)
    if as_json:
        typer.echo(found.to_json())
    else:
        print_trend(found)
