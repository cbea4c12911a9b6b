"""`dbz monitor test`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dbz.cli.options import AsJson
from dbz.errors import VerificationError
from dbz.units import counted


def prove(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Tests; see configs/monitor-test.yaml.")],
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result for CI systems too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Test rules and routes: given these readings, who must be told what, and when?

    \b
    Nothing is asked and nothing is sent: the engine of the monitor runs on
    a clock of the test's own, weeks take seconds, and secrets of the monitor
    file need not be known.

    \b
    Examples:
      dbz monitor test configs/monitor-test.yaml
      dbz monitor test tests.yaml --junit monitor.xml

    \b
    Exit codes: 0 all as expected, 1 something else was told, 2 wrong usage
    or file.
    """
    from dbz.config.monitor.testing import load_monitor_tests
    from dbz.monitor.rules.testing import run_tests
    from dbz.report.ci.monitor_junit import render_monitor_junit
    from dbz.report.files import write_file
    from dbz.report.terminal.alerts.testing import outcome_rows, outcome_text

    tests, config = load_monitor_tests(file)
    outcomes = []
    for outcome in run_tests(tests, config):
        outcomes.append(outcome)
        if not as_json:
            typer.echo(outcome_text(outcome))
    if as_json:
        typer.echo(json.dumps(outcome_rows(outcomes), indent=2))
    if junit is not None:
        write_file(junit, render_monitor_junit(file, outcomes))
    wrong = [one for one in outcomes if one.differences]
    if wrong:
        raise VerificationError(
            f"{len(wrong)} of {counted(len(outcomes), 'test')} tell something else than expected", code="M005"
        )
