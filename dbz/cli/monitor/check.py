"""`dbz monitor check`."""

from __future__ import annotations

from typing import Annotated

import typer


def check(file: Annotated[str, typer.Argument(metavar="FILE")] = "default") -> None:
    """Check a monitor file, and say what goes where.

    \b
    Examples:
      dbz monitor check monitor.yaml

    \b
    Exit codes: 0 right, 2 wrong, with every problem and its line.
    """
    from dbz.config.monitor.file import load_monitor
    from dbz.report.terminal.alerts.rules import rules_text

    typer.echo(rules_text(load_monitor(file)))
