"""`dbz report compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from dbz.cli.options import DEFAULT_REPORTS, AllowVanished, AsJson, Reports, share_of
from dbz.errors import ExitCode


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
    allow_vanished: AllowVanished = False,
    as_json: AsJson = False,
) -> None:
    """Compare runs with runs, operation by operation.

    \b
    With several runs a side, the noise between runs is measured and the test
    is one of runs. With one run a side it is assumed.

    \b
    Examples:
      dbz report compare 20261123T06 latest
      dbz report compare reports/main reports/branch
      dbz report compare reports/main RUN1 RUN2 RUN3 --threshold 10% --json

    \b
    Exit codes: 0 nothing became worse, 1 something did or is not done any more,
    2 runs that cannot be compared, 4 of no operation could anything be told.
    """
    from dbz.measure.compare.terms import ComparisonTerms
    from dbz.report import print_comparison
    from dbz.runs.compare.comparable import refuse_incomparable
    from dbz.runs.compare.findings import compare_sides
    from dbz.runs.compare.sides import Side, find_runs

    terms = ComparisonTerms(
        threshold=share_of("--threshold", threshold),
        noise=share_of("--noise", noise),
        busy=share_of("--busy", busy),
        allow_vanished=allow_vanished,
    )
    before, after = Side(find_runs(reports, base)), Side([run for name in new for run in find_runs(reports, name)])
    forced = refuse_incomparable(before.runs, after.runs, force=force)
    comparison = compare_sides(before, after, terms, forced)
    if as_json:
        typer.echo(comparison.to_json())
    else:
        print_comparison(comparison)
    if comparison.findings:
        raise typer.Exit(ExitCode.BROKEN)
    raise typer.Exit(ExitCode.INVALID if comparison.blind else ExitCode.OK)
