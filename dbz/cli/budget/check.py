"""`dbz budget check`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from dbz.cli.complaint import Complaint, complain
from dbz.cli.options import AsJson
from dbz.cli.verbosity import is_quiet
from dbz.errors import UsageError


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Results; what wrote them is seen from inside.")],
    budgets: Annotated[str, typer.Option(help="Budgets to judge by: a bundled name or a YAML file.")] = "default",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write verdict.json, junit.xml, summary.md and bencher.json.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge results of k6, Locust, JMeter, Gatling, Artillery, wrk, hey, ab, Lighthouse and other tools.

    \b
    The same budgets as for dbz's own runs, with the same care: failed requests
    never improve a latency, what was not measured does not pass. vegeta, oha,
    autocannon, bombardier, wrk2 and Flashlight are read too; see docs/ci.md.

    \b
    Examples:
      dbz budget check summary.json                       k6 --summary-export
      dbz budget check run_stats.csv --budgets ci.yaml    locust --csv run
      dbz budget check report/js/stats.json               Gatling's report
      dbz budget check lhr-*.json                         several runs: their median
      dbz budget check flashlight.json --out verdicts

    \b
    Exit codes: 0 all budgets hold, 1 one is broken, 2 a file that cannot be read,
    cannot be right or is of no known tool, 4 nothing was judged.
    """
    from dbz.config.budgets import load_budgets
    from dbz.report import print_imported, print_verdict, summary_of, tell_github, write_verdicts
    from dbz.runs.conclude import EXIT_CODES
    from dbz.runs.imports.judging import judge_files

    run, notes = judge_files(files, load_budgets(budgets))
    if out is not None:
        try:
            write_verdicts(run, out)
        except UsageError as error:  # the verdict is what was measured, whether it can be written or not
            complain(Complaint.of(error))
            out = None
    if as_json:
        typer.echo(run.to_json())
    elif is_quiet():
        print_verdict(run)
    else:
        print_imported(run, notes, out)
    try:
        tell_github(run, summary_of(run), os.environ, sys.stderr)
    except UsageError as error:
        complain(Complaint.of(error))
    raise typer.Exit(EXIT_CODES[run.verdict])
